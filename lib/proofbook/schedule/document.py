"""A YAML document as people write it: notes above, and text of several lines in a block."""

from __future__ import annotations

from collections.abc import Iterable

import yaml


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML states no types
    """Writes text of several lines in a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def in_yaml(notes: Iterable[str], *documents: object) -> str:
    """Documents of YAML below notes."""
    head = "".join(f"# {line}\n" for line in notes)
    dumped: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return head + dumped
