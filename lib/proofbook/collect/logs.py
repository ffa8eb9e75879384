"""Reads log exports into one table with OpenTelemetry's names, and says what was read."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook.environment import LogSource
from proofbook.errors import CouldNotLook
from proofbook.redaction import scrub
from proofbook.settings import fill_python

COLUMNS = (
    "timestamp",
    "severity_text",
    "severity_number",
    "severity_source",
    "body",
    "service_name",
    "service_version",
    "trace_id",
    "span_id",
    "http_method",
    "http_url",
    "http_status",
    "http_latency_s",
    "user_agent",
    "insert_id",
    "source",
    "line",
)
SEVERITY_NUMBERS = {
    "TRACE": 1,
    "DEBUG": 5,
    "DEFAULT": 0,
    "INFO": 9,
    "NOTICE": 10,
    "WARNING": 13,
    "ERROR": 17,
    "CRITICAL": 21,
    "ALERT": 22,
    "EMERGENCY": 24,
}
_SEVERITY_WORDS = {"WARN": "WARNING", "ERR": "ERROR", "FATAL": "CRITICAL", "INFORMATION": "INFO"}
_SEVERITY_IN_TEXT = re.compile(
    r"^\W*(?:\S+ ){0,4}?\W?(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRITICAL|FATAL|ALERT|EMERGENCY)\b[\]:|\s-]|\blevel=\"?(\w+)",
    re.IGNORECASE,
)
_TIME_IN_TEXT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|[+-]\d\d:?\d\d))?")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(slots=True, kw_only=True)
class Reading:
    """What one source gave: its entries as a table, and what must be known to trust them."""

    entries: pd.DataFrame
    source: str
    shape: str = ""
    read: int = 0
    duplicates: int = 0
    unparsed: int = 0
    unparsed_sample: str = ""
    empty_bodies: int = 0
    newest_first: bool = False
    problem: str = ""
    counts: dict[str, int] = field(default_factory=dict)


def read_logs(source: LogSource, *, base: Path) -> Reading:
    """Every entry of a source. What cannot be parsed is counted and sampled, never dropped in silence.

    A file that is absent or empty gives a Reading with a `problem`: that is a finding about the log, not a crash.
    """
    try:
        text, origin = read_source_text(source.file, source.command, base=base)
    except CouldNotLook as error:
        return Reading(entries=_table([]), source=source.name, problem=str(error))
    if not text.strip():
        return Reading(entries=_table([]), source=source.name, problem=f"{origin} is empty")
    shape, records, broken = _parse(text, source)
    rows = [_row(record, line, source, shape) for record, line in records]
    return _summarise(rows, broken, source, shape)


async def read_all(sources: list[LogSource], *, base: Path) -> list[Reading]:
    """Readings of all sources, side by side."""
    return list(
        await asyncio.gather(*(asyncio.to_thread(read_logs, source, base=base) for source in sources))
    )


def read_source_text(file: str | None, command: list[str] | None, *, base: Path) -> tuple[str, str]:
    """The text behind a file, a glob or a command, with the words that name it. Bytes that are not UTF-8 are kept as �.

    Raises:
        CouldNotLook: the file is absent or the command failed.
    """
    if file is not None:
        paths = (
            sorted(base.glob(file))
            if re.search(r"[*?\[]", file) and not Path(file).is_absolute()
            else [base / file]
        )
        if not paths:
            raise CouldNotLook(f"expected files at {file}, found none")
        try:
            return "".join(path.read_bytes().decode("utf-8", "replace") for path in paths), f"file {file}"
        except OSError as error:
            raise CouldNotLook(
                f"expected a file at {file}, but it cannot be read ({error.strerror})"
            ) from None
    assert command is not None
    filled = fill_python(command)
    origin = f"the command {Path(filled[0]).name} {' '.join(filled[1:])}"
    try:
        done = subprocess.run(filled, cwd=base, capture_output=True, timeout=300, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise CouldNotLook(f"the program {command[0]} is not installed; the log source needs it") from None
    except subprocess.TimeoutExpired:
        raise CouldNotLook(f"{origin} did not end within 300 s") from None
    if done.returncode != 0:
        last = scrub(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])[:200]
        raise CouldNotLook(f"{origin} ended with exit code {done.returncode}: {last}")
    return done.stdout.decode("utf-8", "replace"), origin


def clean(text: str) -> str:
    """Log text without ANSI codes, control characters, and secrets."""
    return scrub(_CONTROL.sub("", _ANSI.sub("", text)))


def severity(stated: Any, body: str) -> tuple[str | None, str | None]:
    """(severity, where it came from): the entry if it says one, else the text.

    >>> severity("", "[ERROR] no route")
    ('ERROR', 'text')
    >>> severity("WARNING", "[ERROR] no route")
    ('WARNING', 'entry')
    """
    if isinstance(stated, str) and stated and stated.upper() != "DEFAULT":
        return _SEVERITY_WORDS.get(stated.upper(), stated.upper()), "entry"
    match = _SEVERITY_IN_TEXT.search(body[:200])
    word = (match[1] or match[2] or "").upper() if match else ""
    word = _SEVERITY_WORDS.get(word, word)
    return (word, "text") if word in SEVERITY_NUMBERS else (None, None)


def _parse(text: str, source: LogSource) -> tuple[str, list[tuple[Any, int]], list[str]]:
    """(shape, records with their line, lines that could not be parsed)."""
    start = text.lstrip()[:1]
    if source.shape == "text" or start not in ("{", "["):
        if source.shape == "cloud-logging":
            return "cloud-logging", [], [line for line in text.splitlines() if line.strip()]
        return "text", list(_text_records(text)), []
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        pass
    else:
        records, left = _records_in(whole)
        return "json document", [(record, index + 1) for index, record in enumerate(records)], left
    if start == "[":
        return "json array, cut", *_cut_array(text)
    records_found: list[tuple[Any, int]] = []
    broken = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            broken.append(line)
            continue
        if isinstance(record, dict):
            records_found.append((record, number))
        else:
            broken.append(line)
    return "json lines", records_found, broken


def _records_in(whole: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries in a JSON document: an array, one entry, or entries somewhere inside an object."""
    if isinstance(whole, list):
        return [item for item in whole if isinstance(item, dict)], [
            json.dumps(item) for item in whole if not isinstance(item, dict)
        ]
    if isinstance(whole, dict):
        if any(key in whole for key in ("timestamp", "textPayload", "jsonPayload", "insertId", "insert_id")):
            return [whole], []
        found: list[dict[str, Any]] = []
        left: list[str] = []
        for value in whole.values():
            if isinstance(value, list | dict):
                records, rest = _records_in(value)
                found += [record for record in records if "timestamp" in record]
                left += rest
        return found, left
    return [], [json.dumps(whole)]


def _cut_array(text: str) -> tuple[list[tuple[Any, int]], list[str]]:
    """The whole entries of an array that ends in the middle, and what is left of it."""
    decoder = json.JSONDecoder()
    records: list[tuple[Any, int]] = []
    left: list[str] = []
    position = text.index("[") + 1
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            record, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            rest = text[position:].strip()
            return records, [*left, rest or text.strip()] if rest != "]" else left
        if isinstance(record, dict):
            records.append((record, text.count("\n", 0, end) + 1))
        else:
            left.append(text[position:end])
        position = end


def _text_records(text: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Lines of text; those without a time belong to the entry before them."""
    current: dict[str, Any] | None = None
    first = 0
    for number, line in enumerate(text.splitlines(), start=1):
        match = _TIME_IN_TEXT.search(line[:120])
        if match or current is None:
            if current is not None:
                yield current, first
            current, first = (
                {"textPayload": line, "timestamp": match[0].replace(",", ".") if match else None},
                number,
            )
        else:
            current["textPayload"] += "\n" + line
    if current is not None:
        yield current, first


def _row(record: dict[str, Any], line: int, source: LogSource, shape: str) -> dict[str, Any]:
    def get(*names: str) -> Any:
        return next((record[name] for name in names if record.get(name) not in (None, "")), None)

    request = _mapping(get("httpRequest", "http_request"))
    labels = _mapping(_mapping(get("resource")).get("labels"))
    body = clean(_body(record, get))
    text, where = severity(get("severity", "level", "levelname"), body)
    trace = get("trace", "trace_id")
    return {
        "timestamp": _with_zone(
            get("timestamp", "time", "ts", "@timestamp", "receiveTimestamp"), source, shape
        ),
        "severity_text": text,
        "severity_number": SEVERITY_NUMBERS.get(text or "", 0),
        "severity_source": where,
        "body": body,
        "service_name": labels.get("service_name") or source.service,
        "service_version": labels.get("revision_name"),
        "trace_id": str(trace).rpartition("/")[2] if trace else None,
        "span_id": get("spanId", "span_id"),
        "http_method": request.get("requestMethod") or request.get("request_method"),
        "http_url": clean(str(request.get("requestUrl") or request.get("request_url") or "")) or None,
        "http_status": request.get("status"),
        "http_latency_s": _seconds(request.get("latency")),
        "user_agent": clean(str(request.get("userAgent") or request.get("user_agent") or "")) or None,
        "insert_id": get("insertId", "insert_id"),
        "source": source.name,
        "line": line,
    }


def _mapping(value: Any) -> dict[str, Any]:
    """A nested object, or an empty one where an entry holds something else."""
    return value if isinstance(value, dict) else {}


def _body(record: dict[str, Any], get: Any) -> str:
    text = get("textPayload", "text_payload", "message", "msg", "event")
    if text is not None:
        return str(text)
    payload = get("jsonPayload", "json_payload", "payload", "protoPayload")
    if isinstance(payload, dict):
        message = next(
            (payload[name] for name in ("message", "msg", "event", "text") if payload.get(name)), None
        )
        return str(message) if message is not None else json.dumps(payload, ensure_ascii=False)
    return "" if payload is None else str(payload)


def _with_zone(value: Any, source: LogSource, shape: str) -> Any:
    """A time that states its zone, or gets the one that the environment states."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            pd.Timestamp(value, unit="s" if value < 1e11 else "ms", tz="UTC").isoformat()
            if 0 < value < 1e14
            else None
        )
    if not isinstance(value, str):
        return None
    if re.search(r"(?:Z|[+-]\d\d:?\d\d)$", value):
        return value
    return f"{value}{source.utc_offset}" if source.utc_offset else f"{value}Z" if shape != "text" else None


def _seconds(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9.]+s", value):
        return float(value[:-1])
    return None


def _summarise(rows: list[dict[str, Any]], broken: list[str], source: LogSource, shape: str) -> Reading:
    table = _table(rows)
    unplaced = table["timestamp"].isna()
    lost = [*broken, *table.loc[unplaced, "body"].head(3)]
    placed = table[~unplaced]
    times = placed["timestamp"]
    newest_first = (
        len(times) > 2
        and bool((times.diff().dropna() <= pd.Timedelta(0)).mean() > 0.9)
        and times.iloc[0] > times.iloc[-1]
    )
    named = placed["insert_id"].notna()
    twice = named & placed.duplicated(["insert_id", "timestamp"])
    kept = placed[~twice].sort_values("timestamp", kind="stable", ignore_index=True)
    no_request = kept["http_status"].isna()
    problem = ""
    if not rows and not broken:
        problem = f"source {source.name!r} holds no entries"
    elif len(kept) == 0:
        zone = unplaced.any() and shape == "text" and not source.utc_offset
        hint = '; they state no time zone: set utc_offset, such as "+00:00"' if zone else ""
        problem = f"none of {len(rows) + len(broken)} lines of source {source.name!r} could be parsed{hint}"
    return Reading(
        entries=kept,
        source=source.name,
        shape=shape,
        read=len(rows),
        duplicates=int(twice.sum()),
        unparsed=len(broken) + int(unplaced.sum()),
        unparsed_sample=clean(lost[0])[:200] if lost else "",
        empty_bodies=int(((kept["body"].str.strip() == "") & no_request).sum()),
        newest_first=newest_first,
        problem=problem,
        counts={
            str(name): int(count)
            for name, count in kept["severity_text"].fillna("none").value_counts().items()
        },
    )


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["timestamp"] = pd.to_datetime(table["timestamp"], utc=True, errors="coerce", format="ISO8601")
    table["http_status"] = pd.to_numeric(table["http_status"], errors="coerce").astype("Int64")
    table["http_latency_s"] = pd.to_numeric(table["http_latency_s"]).astype("float64")
    texts = [
        name
        for name in COLUMNS
        if name not in ("timestamp", "severity_number", "http_status", "http_latency_s", "line")
    ]
    return table.astype({**dict.fromkeys(texts, "str"), "severity_number": "int64", "line": "int64"})
