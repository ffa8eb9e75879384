"""Exports that are not one entry a line: arrays, pretty-printed or wrapped documents, OTLP. Written out as JSON lines."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from proofbook.collect.logs.times import first_in
from proofbook.collect.services import yaml_document

# The keys of which an entry holds at least one; an object without any of them is a wrapper round entries.
ENTRY_KEYS = frozenset(
    [
        "timestamp",
        "time",
        "ts",
        "@timestamp",
        "@t",
        "receiveTimestamp",
        "receive_timestamp",
        "textPayload",
        "jsonPayload",
        "insertId",
        "insert_id",
        "message",
        "msg",
        "__REALTIME_TIMESTAMP",
        "timeUnixNano",
        "record",
        "event",
        "httpRequest",
    ]
)
# Attributes of OTLP that stand beside an entry's time and message.
_TAKEN = frozenset(
    [
        "service.name",
        "service.version",
        "service.instance.id",
        "http.request.method",
        "url.full",
        "http.response.status_code",
        "exception.stacktrace",
    ]
)
CHUNK_BYTES = 1 << 22
# No wrapper is deeper.
DEPTH = 8
# What may stand between two entries; a byte order mark also where files were put together.
_BETWEEN, _BETWEEN_FILES = re.compile(r"[ \t\r\n,]*"), re.compile(r"[ \t\r\n,\ufeff]*")
# As gcloud prints entries where no other form is asked for.
_YAML_FIRST, _YAML_NEXT = (
    re.compile(r"---[ \t]*\r?\n[A-Za-z_@][\w.]*:\s"),
    re.compile(r"^---[ \t]*\r?\n", re.MULTILINE),
)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)


class Bytes(Protocol):
    """Something that can be read."""

    def read(self, size: int, /) -> bytes: ...


def kind_of(head: str, *, whole: bool) -> str:
    """`array`, `objects`, `otlp` or `yaml` where the text is such a document, else an empty string: lines are read as they are.

    Args:
        head: the start of the text. whole: whether it is all of it.
    """
    start = head.lstrip()
    if re.match(r"\[\s*(?:[{\[\]]|$)", start):
        return "array"
    if _YAML_FIRST.match(start):
        first_document = _of_yaml(_YAML_NEXT.split(start, maxsplit=2)[1])
        return "yaml" if isinstance(first_document, dict) and ENTRY_KEYS & first_document.keys() else ""
    if not start.startswith("{"):
        return ""
    first, _, rest = start.partition("\n")
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        # An object over several lines, or a line that is broken: the next one decides.
        after = rest.lstrip(" \t")
        return "objects" if first.strip() == "{" or (not after.startswith("{") and _goes_on(first)) else ""
    if isinstance(found, dict) and "resourceLogs" in found:
        return "otlp"
    is_wrapper = isinstance(found, dict) and not is_entry(found) and bool(_nested(found))
    return "objects" if is_wrapper and (not rest.strip() or not whole) else ""


def sample(head: str, *, most: int = 200) -> list[str]:
    """The first entries of an array, one a line."""
    decoder, text, at = json.JSONDecoder(), head.lstrip().removeprefix("["), 0
    found: list[str] = []
    while len(found) < most:
        at = _past(_BETWEEN, text, at)
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found.append(json.dumps(value))
    return found


def write_lines(file: Bytes, kind: str, *, to: Path) -> None:
    """The entries of a document, one a line, in their order. What is left of a cut document is written as it is."""
    with to.open("w", encoding="utf-8", newline="\n") as out:
        values = _documents(file) if kind == "yaml" else _values(file, inside_array=kind == "array")
        for value in values:
            if isinstance(value, str):
                out.write(" ".join(value.split()) + "\n")
                continue
            for entry in _entries(value[0]):
                out.write(_COMPACT.encode(entry) + "\n")


def is_entry(found: Mapping[str, Any]) -> bool:
    """Whether an object is an entry, and no wrapper round some: it has a key that entries have, or a time under any key and no entries within."""
    return bool(ENTRY_KEYS & found.keys()) or (_is_dated(found) and not _holds_entries(found, depth=DEPTH))


def _holds_entries(found: Mapping[str, Any], *, depth: int) -> bool:
    """Whether there is a list of entries, so deep within or less."""

    def holds(item: Any) -> bool:
        if isinstance(item, list):
            return any(isinstance(inner, dict) and _is_one_of_many(inner) for inner in item[:1])
        return depth > 0 and isinstance(item, dict) and _holds_entries(item, depth=depth - 1)

    return any(map(holds, found.values()))


def _is_one_of_many(found: Mapping[str, Any]) -> bool:
    return bool(ENTRY_KEYS & found.keys()) or _is_dated(found)


def _is_dated(found: Mapping[str, Any]) -> bool:
    return any(
        isinstance(value, str) and len(value) <= 64 and any(item.start == 0 for item in first_in(value))
        for value in found.values()
    )


def _goes_on(first: str) -> bool:
    return first.rstrip().endswith(("{", "[", ",", ":"))


def _values(file: Bytes, *, inside_array: bool) -> Iterator[tuple[Any] | str]:
    """The JSON values of a stream as 1-tuples, and as a string what could not be read. Memory holds one value and a chunk."""
    decoder, unicode = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")("replace")
    # A place in the text and not the rest of it: a copy for every entry is a chunk for every entry.
    text, at, ended = "", 0, False
    opened = not inside_array
    while True:
        at = _past(_BETWEEN_FILES, text, at)
        if not opened and text.startswith("[", at):
            at, opened = at + 1, True
            continue
        if opened and inside_array and text.startswith("]", at):
            text, at = text[at + 1 :].strip(), 0
            if ended:
                if text:
                    yield text
                return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            if ended:
                if text[at:].strip():
                    yield text[at:]
                return
            if isinstance(error, RecursionError):
                value, end = None, -1
        else:
            # A number at the end of a chunk may go on in the next.
            if end < len(text) or ended:
                yield (value,)
                at = end
                continue
        # Doubling keeps the work linear when one value is larger than a chunk.
        chunk = file.read(max(CHUNK_BYTES, len(text) - at))
        ended = not chunk
        text, at = text[at:] + unicode.decode(chunk, final=ended), 0


def _documents(file: Bytes) -> Iterator[tuple[Any] | str]:
    """The values of a stream of YAML documents, in the same way."""
    unicode = codecs.getincrementaldecoder("utf-8")("replace")
    text, ended = "", False
    while not ended:
        chunk = file.read(CHUNK_BYTES)
        ended = not chunk
        *whole, text = _YAML_NEXT.split(text + unicode.decode(chunk, final=ended))
        for document in filter(str.strip, [*whole, text] if ended else whole):
            found = _of_yaml(document)
            yield document if found is None else (found,)


def _of_yaml(document: str) -> Any:
    """The value; None where it is no YAML."""
    try:
        return yaml_document.parse(document)
    except ValueError:
        return None


def _past(what: re.Pattern[str], text: str, at: int) -> int:
    """The place after what stands there of this pattern, which also matches nothing."""
    found = what.match(text, at)
    return found.end() if found else at


def _entries(value: Any) -> Iterator[Any]:
    """The entries in a value: itself, or what an array, a wrapper, an OTLP document or a stream of Loki holds."""
    if isinstance(value, list):
        for item in value:
            yield from _entries(item)
    elif isinstance(value, dict) and "resourceLogs" in value:
        yield from _otlp(value)
    elif (
        isinstance(value, dict) and value.keys() == {"stream", "values"} and isinstance(value["values"], list)
    ):
        for at, line, *_ in (item for item in value["values"] if isinstance(item, list) and len(item) > 1):
            yield {"timestamp": at, "line": line, "labels": value["stream"]}
    elif isinstance(value, dict) and not is_entry(value) and _nested(value):
        for item in _nested(value):
            yield from _entries(item)
    else:
        yield value


def _nested(value: dict[str, object]) -> list[Any]:
    """The parts of a wrapper that may hold entries."""

    def holds(item: Any) -> bool:
        if isinstance(item, list):
            return any(isinstance(inner, dict) for inner in item)
        return isinstance(item, dict) and (bool(ENTRY_KEYS & item.keys()) or bool(_nested(item)))

    return [item for item in value.values() if holds(item)]


def _otlp(document: dict[str, object]) -> Iterator[dict[str, object]]:
    """OTLP's log records, flattened to OpenTelemetry's names."""
    for resource in _list(document.get("resourceLogs")):
        about = _attributes(_dict(resource.get("resource")).get("attributes"))
        for scope in _list(resource.get("scopeLogs") or resource.get("instrumentationLibraryLogs")):
            for record in _list(scope.get("logRecords")):
                own = {
                    name: item
                    for name, item in _attributes(record.get("attributes")).items()
                    if item is not None
                }
                number = record.get("severityNumber")
                stack = own.get("exception.stacktrace")
                yield {
                    "timestamp": str(record.get("timeUnixNano") or record.get("observedTimeUnixNano") or ""),
                    "severity": record.get("severityText") or _severity(number),
                    "message": _any_value(record.get("body")),
                    "service.name": about.get("service.name"),
                    "service.version": about.get("service.version"),
                    "service.instance.id": about.get("service.instance.id"),
                    "trace_id": record.get("traceId"),
                    "span_id": record.get("spanId"),
                    "http.request.method": own.get("http.request.method"),
                    "url.full": own.get("url.full"),
                    "http.response.status_code": own.get("http.response.status_code"),
                    **({"exception": stack} if stack else {}),
                    "attributes": {name: item for name, item in own.items() if name not in _TAKEN},
                    "resource": {name: item for name, item in about.items() if name not in _TAKEN},
                }


def _severity(number: Any) -> str | None:
    if not isinstance(number, int) or not 1 <= number <= 24:
        return None
    return ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")[(number - 1) // 4]


def _attributes(items: Any) -> dict[str, object]:
    return {str(item.get("key")): _any_value(item.get("value")) for item in _list(items)}


def _any_value(value: Any) -> Any:
    """The value in OTLP's `{"stringValue": …}`."""
    inner = next(iter(value.values()), None) if isinstance(value, dict) else value
    return inner if isinstance(inner, str | int | float | bool) or inner is None else json.dumps(inner)


def _list(value: Any) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
