"""Showing something in a notebook: as HTML for people, as text for a terminal, and as data for whoever reads the executed notebook."""

from __future__ import annotations

from collections.abc import Mapping

from proofbook.report.section_registry import Part, Section, as_output


def show(output: Mapping[str, object]) -> None:
    """Shows an output, by MIME type."""
    from IPython import display

    display.display(dict(output), raw=True)  # type: ignore[no-untyped-call]  # IPython has no types


def show_part(part: Part, *, name: str = "") -> None:
    """Shows a part of the report; of an empty one nothing."""
    if part != Section(""):
        show(as_output(part, name=name))
