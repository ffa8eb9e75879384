"""JSON Schemas of messages: whether one is valid, and why a message does not fit."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def schema_error(schema: Mapping[str, Any], message: Any) -> str:
    """Where and how a message does not fit its schema; empty when it does."""
    skip_iri_grammar()
    import jsonschema
    from jsonschema_specifications import REGISTRY

    # Without it what a schema refers to would be fetched.
    validator = jsonschema.Draft202012Validator(dict(schema), registry=REGISTRY)
    error = jsonschema.exceptions.best_match(validator.iter_errors(message))
    return "" if error is None else f"{error.json_path}: {error.message[:120]}"


def schema_problem(schema: Any) -> str:
    """Why this is no JSON Schema that can be used by itself; empty when it is one."""
    skip_iri_grammar()
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return str(error.message)
    return _reference_problem(schema)


def _reference_problem(schema: Any) -> str:
    """Which reference of a schema leads out of it: nothing is fetched while messages are judged."""
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    resolver = REGISTRY.with_resource("", resource).resolver_with_root(resource)

    def problem(resource: Any, resolver: Any) -> str:
        content = resource.contents
        for key in ("$ref", "$dynamicRef") if isinstance(content, dict) else ():
            if key in content:
                try:
                    resolver.lookup(str(content[key]))
                except Unresolvable:
                    return f"{key} {str(content[key])[:80]!r} is not in this schema, and nothing is fetched; put it under $defs"
        found = (problem(inner, resolver.in_subresource(inner)) for inner in resource.subresources())
        return next(filter(None, found), "")

    return problem(resource, resolver)


def skip_iri_grammar() -> None:
    """Lets jsonschema start without its check of the format `iri`, when nobody has loaded it yet.

    jsonschema loads rfc3987_syntax where it is installed (JupyterLab brings it), which compiles a grammar for about two
    seconds in every kernel and worker. Neither nbformat's schema nor a case's message schemas assert formats.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None is how Python spells "not importable"
