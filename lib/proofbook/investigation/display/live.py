"""How a look is shown in a notebook: the picture that needs nothing, and on top of it, where JupyterLab can draw it, the widget."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from proofbook.errors import JUDGED_BY_RUN
from proofbook.investigation.display import markup, plain

if TYPE_CHECKING:
    from proofbook.investigation.display.widget import LookWidget
    from proofbook.investigation.look import Look


def show(look: Look) -> LookWidget | None:
    """Displays a look; gives the widget, None where there is none."""
    from IPython.display import display

    static = {"text/html": markup.as_html(look.overview), "text/plain": plain.as_text(look.overview)}
    display(static, raw=True)
    if not _can_be_brushed():
        return None
    from proofbook.investigation.display.widget import LookWidget

    widget = LookWidget(look, name=lambda: _name(look))
    display(widget.bundle(), raw=True)
    return widget


def _can_be_brushed() -> bool:
    """Whether there may be somebody with a browser: in a kernel that no run of ours began, with anywidget beside it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    in_kernel = getattr(shell, "kernel", None) is not None
    return (
        in_kernel and not os.environ.get(JUDGED_BY_RUN) and importlib.util.find_spec("anywidget") is not None
    )


def _name(look: Look) -> str:
    """What a look is called in the notebook."""
    from IPython import get_ipython

    known = get_ipython().user_ns if get_ipython() is not None else {}
    return next((name for name, value in known.items() if value is look and not name.startswith("_")), "look")
