"""What a new definition breaks for those who rely on the old one, and what neither says well enough to decide."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from proofbook.judge.contracts import xml_names
from proofbook.judge.contracts.api import read_api
from proofbook.judge.contracts.containment import Containment
from proofbook.judge.contracts.differences import Difference
from proofbook.judge.contracts.document import Unread, Version, equal, read
from proofbook.judge.contracts.operations import Answer, Api, Body, Operation, Parameter, Retirement, Scheme
from proofbook.judge.contracts.shapes import Part, Side

_STABILITY = ("draft", "alpha", "beta", "stable")
_NOTHING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed to the harm of a client, or may have.

    operation: `POST /orders`; empty where it concerns all. side: whether who sends or who reads is concerned.
    what: a word for its kind, see `words`. where, place: `the request body`, and where inside it, such as `.items[].name`.
    was, now: what each definition says. sure: whether it breaks somebody for certain.
    """

    operation: str
    side: Side
    what: str
    where: str = ""
    place: str = ""
    was: Any = None
    now: Any = None
    sure: bool = True


def changes(before: Any, after: Any, *, today: dt.date | None = None) -> tuple[Change, ...]:
    """What `after` breaks for clients of `before`, the certain ones first; empty where nothing is.

    Args:
        before, after: definitions as JSON values, whatever they hold. today: the day on which `after` was published; None
            where it is not known, and then no announced day of removal is over.
    """
    try:
        old, new = read_api(read(before)), read_api(read(after))
        found = list(_Comparison(old, new, today).changes())
    except Unread as error:
        found = [Change(operation="", side=Side.READ, what="unread", now=error.why, sure=False)]
    except RecursionError:
        found = [Change(operation="", side=Side.READ, what="unread", now="too many levels", sure=False)]
    once = list(
        {(item.operation, item.side, item.what, item.where, item.place): item for item in found}.values()
    )
    return tuple(sorted(once, key=lambda item: not item.sure))


class _Comparison:
    """Two definitions side by side."""

    def __init__(self, old: Api, new: Api, today: dt.date | None) -> None:
        self.old, self.new, self.today = old, new, today
        self.containment = Containment()
        self.is_like = old.document.version is new.document.version and all(
            equal(old.document.root.get(key), new.document.root.get(key)) for key in ("consumes", "produces")
        )

    def changes(self) -> Iterator[Change]:
        here = self.new.operations
        if self.old.bases != self.new.bases:
            whole = self._by_whole_path()
            if whole is None:
                yield self._moved()
            else:
                here = whole
        dialect = "jsonSchemaDialect"
        if self.old.document.root.get(dialect) != self.new.document.root.get(dialect):
            yield Change(operation="", side=Side.READ, what="unread", now=f"another {dialect}", sure=False)
        for key, was in self.old.operations.items():
            now = here.get(key)
            if now is None:
                yield from self._gone(was)
            else:
                yield from self._operation(was, now, called=False)
        yield from self._called(self.old.webhooks, self.new.webhooks)

    def _moved(self) -> Change:
        # A definition of version 2 has one base, so that whoever uses it moves; servers may stand for stages of one API.
        alone = self.new.document.version is self.old.document.version is Version.SWAGGER_2
        was, now = ", ".join(self.old.bases) or "/", ", ".join(self.new.bases) or "/"
        return Change(operation="", side=Side.SENT, what="base", was=was, now=now, sure=alone)

    def _by_whole_path(self) -> Mapping[tuple[str, str], Operation] | None:
        """The new operations by the paths of the old base, where no operation moved."""
        if len(self.old.bases) == 1 and self.old.bases[0] in self.new.bases:
            return self.new.operations
        if len(self.old.bases) != 1 or len(self.new.bases) != 1:
            return None
        was, now = self.old.bases[0], self.new.bases[0]
        found = {
            ((now + path).removeprefix(was), method): item
            for (path, method), item in self.new.operations.items()
            if (now + path).startswith(was)
        }
        return found if found.keys() & self.old.operations.keys() else None

    def _gone(self, was: Operation) -> Iterator[Change]:
        gone = Change(operation=was.name, side=Side.SENT, what="operation")
        if was.retired is None:
            yield replace(gone, sure=was.stability not in ("draft", "alpha"))
        elif was.retired.sunset is None:
            yield replace(gone, what="retired", sure=False)
        elif not self._is_over(was.retired):
            yield replace(gone, was=was.retired.sunset.isoformat())

    def _is_over(self, retired: Retirement | None) -> bool:
        sunset = retired.sunset if retired is not None else None
        return sunset is not None and self.today is not None and sunset <= self.today

    def _called(
        self, old: Mapping[str, Operation], new: Mapping[str, Operation], parent: str = ""
    ) -> Iterator[Change]:
        """Webhooks and callbacks: there the service sends, and its clients read and answer."""
        for name, was in old.items():
            now = new.get(name)
            if now is None:
                yield Change(operation=parent or name, side=Side.READ, what="call", was=was.name)
            else:
                for item in self._operation(was, now, called=True):
                    yield replace(item, operation=f"{parent} {item.operation}".strip())

    def _operation(self, was: Operation, now: Operation, *, called: bool) -> Iterator[Change]:
        asked, answered = (Side.READ, Side.SENT) if called else (Side.SENT, Side.READ)

        def of_this(found: Iterator[Change]) -> Iterator[Change]:
            for item in found:
                yield replace(item, operation=was.name)

        if not called:
            yield from of_this(self._security(was, now))
        problem = was.problem or now.problem
        if problem:
            yield Change(operation=was.name, side=asked, what="unread", now=problem, sure=False)
            return
        if self._is_same(was, now):
            return
        had, has = was.bases or self.old.bases, now.bases or self.new.bases
        if (was.bases or now.bases) and not set(had) <= set(has):
            yield Change(operation=was.name, side=Side.SENT, what="own-base", was=", ".join(had), now=", ".join(has), sure=False)  # fmt: skip
        yield from of_this(self._retirement(was, now))
        yield from of_this(self._parameters(was, now, asked))
        yield from of_this(self._body(was.body, now.body, asked))
        yield from of_this(self._answers(was.answers, now.answers, answered))
        yield from self._called(was.callbacks, now.callbacks, was.name)

    def _is_same(self, was: Operation, now: Operation) -> bool:
        first, second = self.old.document, self.new.document
        return (
            self.is_like
            and self.containment.same(was.raw, first, now.raw, second)
            and self.containment.same(was.shared, first, now.shared, second)
            # Parameters are told by their place in a path, not by their name.
            and was.path == now.path
        )

    def _retirement(self, was: Operation, now: Operation) -> Iterator[Change]:
        had, has = (item.retired.sunset if item.retired else None for item in (was, now))
        if had is not None and (has is None or has < had) and not self._is_over(was.retired):
            yield Change(operation="", side=Side.SENT, what="sunset", was=had.isoformat(), now=has and has.isoformat(), sure=False)  # fmt: skip
        levels = [_STABILITY.index(item.stability) for item in (was, now) if item.stability in _STABILITY]
        if len(levels) == 2 and levels[1] < levels[0]:
            yield Change(operation="", side=Side.SENT, what="stability", was=was.stability, now=now.stability, sure=False)  # fmt: skip

    def _security(self, was: Operation, now: Operation) -> Iterator[Change]:
        if not now.security:
            return
        # Whoever was let in must still be, whichever of the alternatives they used.
        worst = min((max(_let_in(has, wanted) for wanted in now.security) for has in was.security), default=0)
        if worst < 2:
            names = {scheme.name or scheme.kind for wanted in now.security for scheme in wanted}
            scopes = {scope for wanted in now.security for item in wanted.values() for scope in item}
            had = {scheme.name or scheme.kind for has in was.security for scheme in has}
            yield Change(operation="", side=Side.SENT, what="security", was=sorted(had), now=sorted(names) + sorted(scopes), sure=worst == 0)  # fmt: skip

    def _parameters(self, was: Operation, now: Operation, side: Side) -> Iterator[Change]:
        for key, item in now.parameters.items():
            where = _where(item)
            had = was.parameters.get(key)
            if had is not None:
                yield from self._parameter(had, item, side, where)
            elif _has_a_place(item, now):
                # Whoever asked for the path filled it before too, with what nobody had stated.
                yield Change(operation="", side=side, what="unstated", where=where, sure=False)
            elif item.required and side is Side.SENT:
                yield Change(operation="", side=side, what="asked", where=where)
        for key, item in was.parameters.items():
            if key not in now.parameters and not self._is_over(item.retired):
                sure = (item.where == "path" and not _has_a_place(item, was)) or side is Side.READ or (item.retired is not None and item.retired.sunset is not None)  # fmt: skip
                if item.retired is None or sure:
                    yield Change(operation="", side=side, what="dropped", where=_where(item), sure=sure)

    def _parameter(self, was: Parameter, now: Parameter, side: Side, where: str) -> Iterator[Change]:
        stricter, laxer = now.required and not was.required, was.required and not now.required
        if stricter and side is Side.SENT:
            yield Change(operation="", side=side, what="asked", where=where)
        if laxer and side is Side.READ:
            yield Change(operation="", side=side, what="optional", where=where)
        if was.media != now.media:
            yield Change(operation="", side=side, what="writing", where=where, was=was.media or "text", now=now.media or "text", sure=False)  # fmt: skip
            return
        if (was.schema is None) != (now.schema is None):
            yield Change(operation="", side=side, what="unstated", where=where, sure=False)
            return
        inner = list(self._contained(was.schema, now.schema, side, where, as_text=not was.media))
        yield from inner
        if (was.style, was.explode) != (now.style, now.explode) and self._is_listed(was, now):
            written = [f"{item.style}{' exploded' if item.explode else ''}" for item in (was, now)]
            yield Change(operation="", side=side, what="writing", where=where, was=written[0], now=written[1])
        if was.empty and not now.empty and side is Side.SENT:
            yield Change(operation="", side=side, what="empty", where=where, sure=False)
        if was.reserved and not now.reserved and side is Side.SENT:
            yield Change(operation="", side=side, what="reserved", where=where, sure=False)
        if side is Side.SENT and not (was.required and now.required):
            yield from self._default(was, now, where)

    def _is_listed(self, was: Parameter, now: Parameter) -> bool:
        """Whether a value has parts, so that the way of writing it shows."""
        try:
            kinds = [
                {shape.kind for shape in self.containment.shapes(Part(document=api.document, raws=(item.schema,), side=Side.SENT))}
                for api, item in ((self.old, was), (self.new, now))
            ]  # fmt: skip
        except Unread:
            return True
        return bool({"array", "object"} & kinds[0] & kinds[1])

    def _default(self, was: Parameter, now: Parameter, where: str) -> Iterator[Change]:
        had, has = _default_of(was.schema, self.old), _default_of(now.schema, self.new)
        if (had is _NOTHING and has is _NOTHING) or equal(had, has):
            return
        both = had is not _NOTHING and has is not _NOTHING
        shown = [None if value is _NOTHING else value for value in (had, has)]
        yield Change(
            operation="", side=Side.SENT, what="default", where=where, was=shown[0], now=shown[1], sure=both
        )

    def _body(self, was: Body | None, now: Body | None, side: Side) -> Iterator[Change]:
        where = "the request body"
        if was is None or now is None:
            if now is not None and now.required and side is Side.SENT:
                yield Change(operation="", side=side, what="asked", where=where)
            if was is not None:
                yield Change(operation="", side=side, what="dropped", where=where)
            return
        if now.required and not was.required and side is Side.SENT:
            yield Change(operation="", side=side, what="asked", where=where)
        if was.required and not now.required and side is Side.READ:
            yield Change(operation="", side=side, what="optional", where=where)
        yield from self._media(was.media, now.media, side, where)
        for kind, now_encoded in now.encodings.items():
            had = was.encodings.get(kind, {})
            for name in sorted(had.keys() | now_encoded.keys()):
                if not _takes(now_encoded.get(name), had.get(name)):
                    place = f"the field {name} of {where}"
                    yield Change(operation="", side=side, what="encoding", where=place, sure=False)

    def _answers(self, was: Mapping[str, Answer], now: Mapping[str, Answer], side: Side) -> Iterator[Change]:
        for status, had in was.items():
            has, exact = _answer_for(status, now)
            if has is None or not exact:
                if status[:1] == "2":
                    yield Change(operation="", side=side, what="status", was=status, sure=has is None)
                elif status[:1] in "13":
                    yield Change(operation="", side=side, what="status", was=status, sure=False)
                if has is None or status[:1] != "2":
                    continue
            where = f"the answer {status}"
            yield from self._media(had.media, has.media, side, where)
            if side is Side.READ:
                yield from self._headers(had, has, where)

    def _headers(self, had: Answer, has: Answer, where: str) -> Iterator[Change]:
        for name, header in had.headers.items():
            there = has.headers.get(name)
            place = f"the header {header.name} of {where}"
            if there is None:
                if not self._is_over(header.retired):
                    yield Change(
                        operation="", side=Side.READ, what="dropped", where=place, sure=header.required
                    )
                continue
            yield from self._parameter(header, there, Side.READ, place)

    def _media(
        self, was: Mapping[str, Any], now: Mapping[str, Any], side: Side, where: str
    ) -> Iterator[Change]:
        """Media types, and the schemas of those that stand in both."""
        if side is Side.SENT:
            pairs = [(kind, _wider(kind, now)) for kind in was]
        else:
            # Each old one must still be had; one that became narrower is.
            pairs = [(kind, _narrower(kind, now)) for kind in was]
        for kind, there in pairs:
            if there is None:
                yield Change(operation="", side=side, what="media", where=where, was=kind, now=sorted(now))
            else:
                yield from self._contained(was[kind], now[there], side, where)
                if "xml" in kind:
                    for place, had, has in xml_names.differing(was[kind], self.old.document, now[there], self.new.document):  # fmt: skip
                        yield Change(operation="", side=side, what="xml", where=where, place=place, was=had, now=has, sure=False)  # fmt: skip

    def _contained(
        self, was: Any, now: Any, side: Side, where: str, *, as_text: bool = False
    ) -> Iterator[Change]:
        if was is None or now is None:
            return
        old = Part(document=self.old.document, raws=(was,), side=side, as_text=as_text)
        new = Part(document=self.new.document, raws=(now,), side=side, as_text=as_text)
        sub, sup = (old, new) if side is Side.SENT else (new, old)
        for item in self.containment.differences(sub, sup):
            yield _change(item, side, where)


def _let_in(has: Mapping[Scheme, frozenset[str]], wanted: Mapping[Scheme, frozenset[str]]) -> int:
    """Whether those who show one are let in by the other: 2: yes, 1: perhaps, 0: no."""
    return min(
        max((_same_scheme(one, scheme) if scopes <= own else 0 for one, own in has.items()), default=0)
        for scheme, scopes in wanted.items()
    )


def _same_scheme(one: Scheme, other: Scheme) -> int:
    if replace(one, flows=()) != replace(other, flows=()):
        return 0
    if not {name for name, _ in one.flows} <= {name for name, _ in other.flows}:
        return 0
    # The same flow at another address may be the same to who logs in.
    return 2 if set(one.flows) <= set(other.flows) else 1


def _change(item: Difference, side: Side, where: str) -> Change:
    was, now = (item.sub, item.sup) if side is Side.SENT else (item.sup, item.sub)
    if item.what == "unread":
        was, now = None, item.sup
    return Change(
        operation="",
        side=side,
        what=item.what,
        where=where,
        place=item.place,
        was=was,
        now=now,
        sure=item.sure,
    )


def _has_a_place(item: Parameter, operation: Operation) -> bool:
    """Whether a parameter stands in the path of an operation."""
    return item.where == "path" and f"{{{item.name}}}" in operation.path


def _where(item: Parameter) -> str:
    return f"the {item.where} parameter {item.name}"


def _default_of(schema: Any, api: Api) -> Any:
    try:
        found = api.document.resolve(schema)
    except Unread:
        return _NOTHING
    return found.get("default", _NOTHING) if isinstance(found, dict) else _NOTHING


def _answer_for(status: str, answers: Mapping[str, Answer]) -> tuple[Answer | None, bool]:
    """What a definition says of a status, and whether it names it, or its class."""
    for key in (status, f"{status[:1]}XX"):
        if key in answers:
            return answers[key], True
    if status.endswith("XX"):
        # Some of the class are named now: whether they are all that were given, nobody says.
        some = next((item for key, item in sorted(answers.items()) if key[:1] == status[:1]), None)
        if some is not None:
            return some, False
    return answers.get("default"), False


def within(kind: str, wider: str) -> bool:
    """Whether a media type is another one, or a kind of it."""
    if kind == wider or wider in ("*/*", "*"):
        return True
    (one, _, name), (other, _, pattern) = kind.partition("/"), wider.partition("/")
    return one == other and (pattern == "*" or name.endswith(f"+{pattern}"))


def _takes(now: Any, was: Any) -> bool:
    """Whether a field of a form may be written as before: in the same way, and by one of the same media types or of more.

    >>> _takes({"contentType": "image/png, image/jpeg"}, {"contentType": "image/png"})
    True
    >>> _takes({"contentType": "image/png"}, None)
    False
    """
    if not (isinstance(now, dict) and isinstance(was, dict)):
        return equal(now, was)
    had, has = ([kind.strip() for kind in str(item.get("contentType", "")).split(",")] for item in (was, now))
    rest, others = (
        {key: value for key, value in item.items() if key != "contentType"} for item in (was, now)
    )
    return equal(rest, others) and all(any(within(kind, wider) for wider in has) for kind in had)


def _wider(kind: str, among: Mapping[str, Any]) -> str | None:
    return kind if kind in among else next((item for item in among if within(kind, item)), None)


def _narrower(kind: str, among: Mapping[str, Any]) -> str | None:
    return kind if kind in among else next((item for item in among if within(item, kind)), None)
