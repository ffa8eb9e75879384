"""An API in one form, whichever version its definition is of: operations with what they take, give and ask for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proofbook.judge.contracts.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter or a header. schema: None where there is none; media: the media type that its value is written in, if any."""

    where: str
    name: str
    required: bool
    schema: Any = None
    style: str = ""
    explode: bool = False
    media: str = ""
    empty: bool = False
    reserved: bool = False
    raw: Any = None
    retired: Retirement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """That something is deprecated, and the day from which on it may be gone, where one is stated."""

    sunset: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request body: schema by media type, and how the fields of a form are written, by media type and field."""

    required: bool
    media: Mapping[str, Any]
    encodings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response: schema by media type, and its headers by name in small letters."""

    media: Mapping[str, Any]
    headers: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How somebody shows who they are, without the name that a definition gives it. flows: of OAuth 2, with their addresses."""

    kind: str
    where: str = ""
    name: str = ""
    flows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. problem: why it is not understood; the rest is empty then.

    security: alternatives, of which each is schemes with the scopes that are needed; empty: nothing is asked. bases: what stands
    before its path, where it or its path has servers of its own; empty: those of the whole definition.
    """

    name: str
    path: str
    method: str
    raw: Any
    shared: Any = None
    parameters: Mapping[tuple[str, str], Parameter] = field(default_factory=dict)
    body: Body | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    security: tuple[Mapping[Scheme, frozenset[str]], ...] = ()
    callbacks: Mapping[str, Operation] = field(default_factory=dict)
    retired: Retirement | None = None
    stability: str = ""
    bases: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """All operations of a definition, by path without the names of its parameters and by method. bases: what stands before the paths."""

    document: Document
    operations: Mapping[tuple[str, str], Operation]
    webhooks: Mapping[str, Operation]
    bases: tuple[str, ...]
