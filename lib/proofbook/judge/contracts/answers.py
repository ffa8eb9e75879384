"""Whether an answer is one that a definition allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from proofbook.judge.contracts.api import template
from proofbook.judge.contracts.compare import within
from proofbook.judge.contracts.membership import Membership
from proofbook.judge.contracts.operations import Answer, Api, Operation
from proofbook.judge.contracts.shapes import Part, Shape, Side

# No body is known, which is another thing than a body that is null.
NO_BODY = object()


class Fit(Enum):
    """What a definition says of an answer."""

    FITS = "fits"
    DIFFERS = "differs"
    UNCLEAR = "unclear"
    NOT_DESCRIBED = "not described"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An answer held against a definition. what: a word for how it differs: `status`, `media` or `body`; place: where in a body.

    said: what the definition says instead, where it is short.
    """

    fit: Fit
    operation: str = ""
    what: str = ""
    place: str = ""
    said: tuple[str, ...] = ()


class Answers:
    """Holds answers against one definition."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._known: dict[Any, tuple[Shape, ...]] = {}

    def held(self, path: str, status: int, *, media: str = "", body: Any = NO_BODY) -> Held:
        """One answer to a GET. media: its media type, empty where it is not known."""
        operation = next(self._operations(path), None)
        if operation is None:
            return Held(fit=Fit.NOT_DESCRIBED)
        if operation.problem:
            return Held(fit=Fit.UNCLEAR, operation=operation.name, what=operation.problem)
        described = next(
            (operation.answers[key] for key in (str(status), f"{status // 100}XX", "default") if key in operation.answers), None
        )  # fmt: skip
        if described is None:
            # Few definitions name the ways in which a request can fail; that one succeeds they do.
            fit = Fit.DIFFERS if 200 <= status < 300 else Fit.NOT_DESCRIBED
            return Held(fit=fit, operation=operation.name, what="status", said=tuple(operation.answers))
        return self._body(operation, described, media.partition(";")[0].strip().lower(), body)

    def _operations(self, path: str) -> Iterator[Operation]:
        """What may answer a GET to a path: named outright before by a pattern, with its base or without."""
        plain = path.partition("?")[0]
        paths = [
            plain,
            *(plain.removeprefix(base) for base in self.api.bases if base and plain.startswith(base)),
        ]
        for wanted in paths:
            found = self.api.operations.get((template(wanted), "get"))
            if found is not None and "{" not in found.path:
                yield found
        for wanted in paths:
            for (_, method), item in self.api.operations.items():
                if method == "get" and "{" in item.path and _pattern(item.path).fullmatch(wanted):
                    yield item

    def _body(self, operation: Operation, described: Answer, media: str, body: Any) -> Held:
        kinds = described.media
        if not kinds:
            # Nothing is said of a body: neither that there is one, nor that there is none.
            return Held(fit=Fit.NOT_DESCRIBED, operation=operation.name)
        fitting = [kind for kind in kinds if not media or within(media, kind)]
        if not fitting:
            return Held(fit=Fit.DIFFERS, operation=operation.name, what="media", said=tuple(kinds))
        if body is NO_BODY:
            return Held(fit=Fit.NOT_DESCRIBED, operation=operation.name)
        schema = kinds[media] if media in kinds else kinds[fitting[0]]
        member = Membership(self._known, any_format=True)
        part = Part(document=self.api.document, raws=(True if schema is None else schema,), side=Side.READ)
        fits = member.fits(body, part)
        fit = Fit.UNCLEAR if fits is None else Fit.FITS if fits else Fit.DIFFERS
        return Held(
            fit=fit, operation=operation.name, what="body", place=member.where if fits is False else ""
        )


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"\{[^{}/]*\}", path)
    return re.compile("[^/]+".join(map(re.escape, pieces)))
