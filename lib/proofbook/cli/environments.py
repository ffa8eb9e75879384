"""Which environments a command is about: names, files, patterns over names, and tags."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path

from proofbook import paths
from proofbook.errors import ConfigurationError, UnknownName, UsageError

_PATTERN = re.compile(r"[*?\[]")


def chosen(named: Sequence[str], *, tags: Sequence[str], base: Path) -> list[str]:
    """The environments that names, files and patterns such as `eu-*` mean, each once; of these, those with all the tags.

    Tags alone choose among all environments. A file that others extend and that is none by itself is no environment.

    Raises:
        UsageError: nothing is named, or nothing is meant by a pattern or the tags.
    """
    if not named and not tags:
        raise UsageError("expected an environment, a pattern such as 'eu-*', or --tag, got none of these; see: proofbook run --help")  # fmt: skip
    known = paths.named("environments", base)
    found = [name for text in named for name in _matching(text, known, base=base)]
    if not named:
        found = list(_without_bases(known))
    found = list(dict.fromkeys(found))
    return _tagged(found, tags, base=base) if tags else found


def _matching(text: str, known: dict[str, Path], *, base: Path) -> list[str]:
    if not _PATTERN.search(text) or paths.is_file(Path(text)):
        return [text]
    usable = _without_bases(known)
    kept = [name for name in usable if fnmatch.fnmatchcase(name, text)]
    if not kept:
        there = ", ".join(sorted(usable)) or "none"
        raise UsageError(
            f"no environment matches {text!r} in {paths.shown(paths.kept('environments', base))}; there are: {there}"
        )
    return kept


def _without_bases(known: dict[str, Path]) -> dict[str, Path]:
    """These without the files that others extend and that cannot be used alone."""
    from proofbook.config import environment as environments
    from proofbook.config import layers

    extended = set()
    for path in known.values():
        try:
            extended |= {file.resolve() for file in layers.read(path).files[1:]}
        except ConfigurationError:
            # Told when it is loaded.
            continue
    return {
        name: path
        for name, path in known.items()
        if path.resolve() not in extended or environments.is_whole(path)
    }


def _tagged(names: Sequence[str], tags: Sequence[str], *, base: Path) -> list[str]:
    from proofbook.config import layers

    found, there = [], set()
    for name in names:
        try:
            stated = layers.read(paths.find_file("environment", name, base=base)).values.get("tags")
        except (ConfigurationError, UnknownName):
            # Nobody knows its tags: that it cannot be used is told when it is loaded.
            found.append(name)
            continue
        own = set(map(str, stated)) if isinstance(stated, list) else set()
        there |= own
        if own.issuperset(tags):
            found.append(name)
    if not found:
        words, known = " and ".join(map(repr, tags)), ", ".join(sorted(there)) or "none"
        raise UsageError(
            f"no environment has the tag {words}, which its file states as tags = [...]; there are: {known}"
        )
    return found
