"""A look that can be brushed in JupyterLab: the lanes drawn by a script of ours, the answers from the kernel."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anywidget
import traitlets

from proofbook.investigation.display import brush
from proofbook.investigation.display.brush import Brush, Brushed
from proofbook.report import templating

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

# Not by chance, so that the same notebook has the same outputs.
_number = itertools.count(1)
MIME = "application/vnd.jupyter.widget-view+json"


class LookWidget(anywidget.AnyWidget):
    """What the browser shows and says. view: the lanes. below: what follows. brush, picks: what was brushed and clicked on."""

    _esm = (Path(__file__).parent / "widget.js").read_text(encoding="utf-8")
    _css = templating.read("look.css") + templating.read("look_widget.css")
    view = traitlets.Dict().tag(sync=True)
    below = traitlets.Dict().tag(sync=True)
    brush: traitlets.List[object] = traitlets.List().tag(sync=True)
    picks: traitlets.List[object] = traitlets.List().tag(sync=True)

    def __init__(self, look: Look, *, name: Callable[[], str]) -> None:
        """name: what the look is called in code, asked whenever code is shown."""
        self._brush, self._name = Brush(look, look.overview), name
        self.brushed: Brushed = self._brush.select([], [], name=name())
        super().__init__(
            model_id=f"proofbook-look-{next(_number)}",
            view=brush.view(look.overview),
            below=self._brush.answer(self.brushed),
        )
        self.observe(self._follow, ["brush", "picks"])

    def _follow(self, _: object) -> None:
        buckets = [float(place) for place in self.brush if isinstance(place, int | float)]
        picks = [
            (str(pair[0]), str(pair[1])) for pair in self.picks if isinstance(pair, list) and len(pair) == 2
        ]
        self.brushed = self._brush.select(buckets, picks, name=self._name())
        self.below = self._brush.answer(self.brushed)

    def bundle(self) -> dict[str, object]:
        """What an output holds of it."""
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        return {MIME: view, "text/plain": "(the same, to be brushed in JupyterLab)"}
