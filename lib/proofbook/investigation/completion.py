"""What Tab offers in a notebook: after `look.where(` the names that this log holds, which no signature can list."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Protocol


class Named(Protocol):
    """What is asked by names, as a look is."""

    def names(self) -> list[str]: ...


# A call of `where` or `but` that is not closed yet, on a name or on what was selected of it.
_OPEN = re.compile(r"(\w+)(?:\.\w+\([^()]*\))*\.(?:where|but)\((?:[^()]*,\s*)?(\w*)$")


def offer(kind: type[Named]) -> None:
    """Makes the completer of the kernel know the names of logs, once: those of variables of this kind. Elsewhere: nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or getattr(shell, "_proofbook_completes", False):
        return
    shell._proofbook_completes = True
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher()  # type: ignore[untyped-decorator]  # IPython states no types
    def names_of_logs(context: Any) -> dict[str, Any]:
        begun, found = names_for(context.text_until_cursor, shell.user_ns, kind=kind)
        offered = [SimpleCompletion(f"{name}=", type="param") for name in found]
        return {"completions": offered, "matched_fragment": begun, "suppress": bool(offered)}

    shell.Completer.custom_matchers.append(names_of_logs)


def names_for(line: str, known: Mapping[str, object], *, kind: type[Named]) -> tuple[str, list[str]]:
    """What is begun at the end of a line, and the names that may be meant: those of the log that is asked.

    >>> names_for("len(look)", {}, kind=Named)
    ('', [])
    """
    match = _OPEN.search(line)
    look = known.get(match[1]) if match else None
    if match is None or not isinstance(look, kind):
        return "", []
    return match[2], [name for name in look.names() if name.isidentifier() and name.startswith(match[2])]
