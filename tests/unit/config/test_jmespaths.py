"""A JMESPath that cannot be read is told when the file is read, and one that meets another type finds nothing."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from proofbook.collect.filling import match_fields
from proofbook.config.case import Case
from proofbook.config.environment import Environment

SERVICE: dict[str, Any] = {"name": "a", "url": "http://127.0.0.1:1"}
SOCKET: dict[str, Any] = {"name": "a", "service": "a", "path": "/ws", "token": {"in": "none"}}


@pytest.mark.parametrize("path", ["a-b", "a b", "items[", "a.", "", "a[?b"])
@pytest.mark.parametrize(
    "place", ["greeting", "health_expect", "revision_path", "token_path", "deployments", "when"]
)
def test_one_that_cannot_be_read_is_refused_with_what_to_write_instead(place: str, path: str) -> None:
    given: dict[str, Any] = {
        "greeting": {"service": [SERVICE], "websocket": [{**SOCKET, "greeting": {"json": {path: "x"}}}]},
        "health_expect": {"service": [{**SERVICE, "health_expect": {"json": {path: "x"}}}]},
        "revision_path": {"service": [{**SERVICE, "revision_path": path}]},
        "token_path": {
            "service": [SERVICE],
            "login": {"url": "http://127.0.0.1:1", "user": "u", "token_path": path},
        },
        "deployments": {"service": [SERVICE], "deployments": {"file": "d.json", "created": path}},
        "when": {"title": "t", "message": [{"when": {path: "x"}, "schema": "s.json"}]},
    }
    with pytest.raises(ValidationError, match="expected a JMESPath expression, got"):
        (Case if place == "when" else Environment).model_validate(given[place])


def test_one_in_quotation_marks_is_taken() -> None:
    Environment.model_validate({"service": [{**SERVICE, "health_expect": {"json": {'"a-b"': "x"}}}]})


def test_a_function_that_meets_another_type_finds_nothing() -> None:
    assert match_fields({"length(@)": 2}, [1, 2], {})
    assert not match_fields({"length(@)": 2}, 5, {})
    assert not match_fields({"nonsense(@)": 2}, 5, {})
