"""Packages of other people, as an installer leaves them, and registries that know of them for one test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from proofbook.config.dialects import DIALECTS
from proofbook.config.log_formats import LOG_FORMATS
from proofbook.config.log_uri import LOG_SOURCES
from proofbook.config.probes import COLLECTORS
from proofbook.evidence import schema
from proofbook.judge.registry import CLAIMS
from proofbook.report.section_registry import SECTIONS

REGISTRIES = (LOG_SOURCES, LOG_FORMATS, COLLECTORS, DIALECTS, CLAIMS, SECTIONS)


def install(
    folder: Path, package: str, *, entries: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]
) -> None:
    """A package with entry points by group, and its modules by file name."""
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir(parents=True)
    for name, code in modules.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(code, encoding="utf-8")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in items.items())
        for group, items in entries.items()
    )
    (about / "entry_points.txt").write_text("\n".join(groups))
    importlib.invalidate_caches()


@contextmanager
def packages(folder: Path) -> Iterator[Path]:
    """A folder in which packages are installed, for as long as it is open; afterwards nothing knows of them."""
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    tables = dict(schema._added)
    loaded = [dict(registry._loaded) for registry in REGISTRIES]
    for registry in REGISTRIES:
        registry.__dict__.pop("_places", None)
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))
        schema._added.clear()
        schema._added.update(tables)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]
        for registry, known in zip(REGISTRIES, loaded, strict=True):
            registry.__dict__.pop("_places", None)
            registry._loaded.clear()
            registry._loaded.update(known)
