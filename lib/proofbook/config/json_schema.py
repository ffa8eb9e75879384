"""JSON Schemas of messages: whether one is valid, and why a message does not fit."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def schema_error(schema: Mapping[str, Any], message: Any) -> str:
    """Where and how a message does not fit its schema; empty when it does."""
    skip_iri_grammar()
    import jsonschema

    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(dict(schema)).iter_errors(message)
    )
    return "" if error is None else f"{error.json_path}: {error.message[:120]}"


def schema_problem(schema: Any) -> str:
    """Why this is no JSON Schema; empty when it is one."""
    skip_iri_grammar()
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return str(error.message)
    return ""


def skip_iri_grammar() -> None:
    """Lets jsonschema start without its check of the format `iri`, when nobody has loaded it yet.

    jsonschema loads rfc3987_syntax where it is installed (JupyterLab brings it), which compiles a grammar for about two
    seconds in every kernel and worker. Neither nbformat's schema nor a case's message schemas assert formats.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None is how Python spells "not importable"
