"""Keeps an import out of the way that costs two seconds and that we never use."""

from __future__ import annotations

import sys


def skip_iri_grammar() -> None:
    """Lets jsonschema start without its check of the format `iri`, when nobody has loaded it yet.

    jsonschema loads rfc3987_syntax where it is installed (JupyterLab brings it), which compiles a grammar for about two
    seconds in every kernel and worker. Neither nbformat's schema nor a case's message schemas assert formats.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None is how Python spells "not importable"
