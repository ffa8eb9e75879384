"""JSON Schemas of messages: whether one is valid, and why a message does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proofbook import import_shims


def schema_error(schema: Mapping[str, Any], message: Any) -> str:
    """Where and how a message does not fit its schema; empty when it does."""
    import_shims.skip_iri_grammar()
    import jsonschema

    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(dict(schema)).iter_errors(message)
    )
    return "" if error is None else f"{error.json_path}: {error.message[:120]}"


def schema_problem(schema: Any) -> str:
    """Why this is no JSON Schema; empty when it is one."""
    import_shims.skip_iri_grammar()
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return str(error.message)
    return ""
