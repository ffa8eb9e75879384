"""Where JSON entries of unknown programs keep things, by the names of their keys and by what stands under them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from proofbook.collect.logs import times
from proofbook.collect.logs.headers import LEVELS
from proofbook.collect.logs.times import TimeForm

# Of the entries that have a key, so many must hold what it is taken for.
MOST = 0.8
DEPTH, MOST_PARENTS = 3, 12
# Of a sample of entries, so many tell which zones its times name.
ENOUGH = 50
# What servers write as the status of a request that was not answered.
_UNANSWERED = frozenset(["0", "000", "-", "-1"])
LEVEL_WORDS = re.compile(f"(?:{LEVELS}|[tdiwef])(?:[1-9]|[+-][0-9]{{1,3}})?", re.IGNORECASE)
# Names in small letters and digits alone, the better ones first.
_NAMES: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "timestamp", "time", "ts", "datetime", "eventtime", "eventtimestamp", "timecreated", "timegenerated", "starttime", "logtime",
        "calendartime", "timelocal", "timemillis", "epochsecond", "createdat", "created", "date", "isodate", "unixtime", "epoch",
        "timestampseconds", "timeseconds", "eventtimeseconds", "createdatseconds", "epochseconds", "when", "edgestarttimestamp", "requesttime", "systemtime", "dateandtime", "datetimeutc", "timestamputc", "timeunixnano",
        "starttimeunixnano", "logdate", "insertiontime", "eventreceivedtime", "zeit", "zeitpunkt", "zeitstempel", "datum", "fecha", "heure", "horodatage",
    ),
    # Of a second, where it stands apart.
    "fraction": ("nanoofsecond", "nanos", "timestampnanos", "nanoseconds"),
    "severity": (
        "leveltext", "leveldisplayname", "levelname", "severitytext", "severity", "level", "loglevel", "severitylevel", "lvl", "priority",
        "errorseverity", "entrytype", "s", "status",
    ),
    "body": (
        "message", "msg", "shortmessage", "renderedmessage", "messagetemplate", "logmessage", "fullmessage", "line", "text", "raw",
        "content", "body", "description", "log", "event", "textpayload", "nachricht",
        "meldung", "mensaje", "resultdescription",
    ),
    "stack": (
        "exception", "stacktrace", "stack", "traceback", "errorstack", "exceptionstacktrace", "backtrace", "exceptionmessage", "errormessage",
        "errordetail", "errordetails", "error", "err", "detail", "details", "fullmessage",
    ),
    "status": (
        "statuscode", "responsecode", "httpstatus", "httpstatuscode", "status", "responsestatus", "downstreamstatus", "edgeresponsestatus",
        "elbstatuscode", "scstatus", "code",
    ),
    "method": ("httpmethod", "requestmethod", "method", "clientrequestmethod", "verb", "csmethod"),
    "url": ("httpurl", "url", "requesturi", "requesturl", "uri", "path", "requestpath", "clientrequesturi", "urlpath", "csuristem"),
    "trace": ("traceid", "trace", "xb3traceid", "dtraceid", "ddtraceid", "comtrace", "oteltraceid", "traceparent", "operationid"),
    "span": ("spanid", "span", "xb3spanid", "ddspanid", "comspanid", "otelspanid"),
    "service": ("servicename", "service", "application", "applicationname", "appname", "cloudrolename", "containername"),
    "instance": ("instanceid", "pod", "podname", "hostname", "host", "containerid", "containername", "cloudroleinstance"),
    "user_agent": ("httpuseragent", "useragentoriginal", "useragent", "agent", "requestuseragent", "csuseragent", "clientrequestuseragent"),
    "remote_ip": (
        "clientip", "remoteip", "remoteaddr", "remoteaddress", "clientaddress", "sourceip", "sourceipaddress", "httpclientip", "cip", "idorigh",
        "downstreamremoteaddress", "peeraddress",
    ),
    "request_bytes": ("requestbytes", "requestsize", "requestlength", "bytesreceived", "csbytes", "httprequestsize", "receivedbytes"),
    "response_bytes": (
        "responsebytes", "responsesize", "bodybytessent", "bytessent", "scbytes", "httpresponsesize", "sentbytes", "responselength",
        "edgeresponsebytes",
    ),
    "protocol": ("serverprotocol", "httpprotocol", "protocol", "httpversion", "csversion", "clientrequestprotocol"),
}  # fmt: skip


# What numbers mean. Tens alone, as pino and bunyan write them, mean the same everywhere.
TENS = frozenset(["10", "20", "30", "40", "50", "60"])
SYSLOG = dict(
    zip(
        "01234567",
        ("EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"),
        strict=True,
    )
)
WINDOWS = dict(zip("12345", ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"), strict=True))
ASCENDING = dict(zip("01234", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), strict=True))
_WINDOWS_KEYS = frozenset(
    ["timecreated", "eventid", "providername", "channel", "leveldisplayname", "eventrecordid"]
)
_GELF_KEYS = frozenset(["shortmessage", "version", "host"])


def flat(objects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The texts and numbers of each object by their paths, no deeper than DEPTH: the samples that the functions below take."""
    return [dict(_scalars(entry)) for entry in objects]


def scale_of(
    objects: Sequence[Mapping[str, Any]], paths: Sequence[str], *, keys: Sequence[str] = ()
) -> Mapping[str, str]:
    """What the numbers mean that a sample of entries has for severities, an empty text where that cannot be known; empty where nothing tells it.

    Where the most frequent single digit would be an emergency or an alert in syslog's order, the order is the other one.

    Args:
        paths: where severities are, the first that an entry has counts. keys: of the entries, where they hold other objects.
    """
    found = [
        str(next(entry[path] for path in paths if path in entry))
        for entry in objects
        if not entry.keys().isdisjoint(paths)
    ]
    digits = [value for value in found if re.fullmatch("[0-9]+", value)]
    if set(digits) & TENS and set(digits) - TENS:
        return dict.fromkeys(digits, "")
    if not digits or any(value not in SYSLOG for value in digits):
        return {}
    there = {key for entry in objects for key in entry}.union(keys)
    names = {re.sub(r"[^a-z0-9]", "", key.lower()) for key in there}
    if names >= _GELF_KEYS or any(path.split(".")[-1] == "PRIORITY" for path in paths):
        return SYSLOG
    if names & _WINDOWS_KEYS:
        return WINDOWS
    usual = max(sorted(set(digits)), key=digits.count)
    if usual in "567":
        return SYSLOG
    return ASCENDING if usual in "01" and max(digits) <= "4" else {}


def words_first(objects: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> tuple[str, ...]:
    """Those of the paths that a sample of entries has, first those under which it has words."""
    held: dict[str, bool] = {}
    for entry in objects:
        for path in paths:
            if path in entry:
                held[path] = held.get(path, False) or not re.fullmatch("[0-9]+", str(entry[path]))
    there = [path for path in paths if path in held]
    return tuple(sorted(there, key=lambda path: not held[path]))


def learn(objects: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """For each thing that an entry has the paths under which a sample of entries keeps it, the best first."""
    values: dict[str, list[Any]] = {}
    for entry in objects:
        for path, value in entry.items():
            values.setdefault(path, []).append(value)
    found = {thing: tuple(_named(values, names, _FITS[thing])) for thing, names in _NAMES.items()}
    if not found["timestamp"]:
        timed = [path for path, held in values.items() if _mostly(_is_surely_a_time, held)]
        found["timestamp"] = tuple(timed[:1])
    within = [path.rpartition(".")[0] for path in found["timestamp"][:1]]
    # Of a file that was read.
    found["url"] = tuple(path for path in found["url"] if not path.endswith("file.path"))
    found["fraction"] = tuple(path for path in found["fraction"] if path.rpartition(".")[0] in within)
    return {thing: paths for thing, paths in found.items() if paths}


def is_named(thing: str, name: str) -> bool:
    """Whether a key of this name is known to hold that thing."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) in _NAMES[thing]


def held(
    objects: Sequence[Mapping[str, Any]], places: Mapping[str, Sequence[str]], *, keys: Sequence[str]
) -> tuple[str, ...]:
    """The paths at which a sample of entries with these keys holds what has a column of its own."""
    there = {path for entry in objects for path in entry}.union(keys)
    found = (next((path for path in paths if path in there), None) for paths in places.values())
    return tuple(dict.fromkeys(path for path in found if path is not None))


def objects_in_texts(objects: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], list[Mapping[str, Any]]]:
    """The objects that texts hold, by the steps to them: of keys with the name of a message, themselves or one level down, under which most entries have one."""
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for entry in objects:
        for key, value in entry.items():
            held = (
                {(key, name): text for name, text in value.items()}
                if isinstance(value, dict)
                else {(key,): value}
            )
            for steps, text in held.items():
                if is_named("body", steps[-1]) and (inner := object_in(text)) is not None:
                    found.setdefault(steps, []).append(inner)
    return {steps: inner for steps, inner in found.items() if 2 * len(inner) >= len(objects)}


def merged(entry: Mapping[str, Any], steps: Sequence[str]) -> Mapping[str, Any]:
    """The entry, with what the object in the text there holds beside; where both have a key, the inner one counts.

    >>> merged({"line": '{"msg": "boom", "ts": 2}', "ts": 1}, ["line"])
    {'line': '{"msg": "boom", "ts": 2}', 'ts': 2, 'msg': 'boom'}
    """
    text: Any = entry
    for step in steps:
        text = text.get(step) if isinstance(text, dict) else None
    return _patched(entry, object_in(text) or {})


def _patched(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> Mapping[str, Any]:
    """As RFC 7396 has it, by which the engine merges too."""
    found = dict(outer)
    for name, value in inner.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            within = found.get(name)
            found[name] = _patched(within if isinstance(within, dict) else {}, value)
        else:
            found[name] = value
    return found


def object_in(value: Any) -> Mapping[str, Any] | None:
    """The JSON object that a text is; None where it is none."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def names_at_top(objects: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The names of the keys that entries have themselves."""
    return frozenset(key for entry in objects for key in entry)


def names_in(objects: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The names of all keys in a sample of entries, at any depth."""
    found: set[str] = set()
    pending: list[Any] = list(objects)
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            found |= item.keys()
            pending += item.values()
    return frozenset(found)


def parents(objects: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """The steps to objects within a sample of entries, no more than MOST_PARENTS and no deeper than DEPTH; a step may hold a dot."""
    found: dict[tuple[str, ...], int] = {}
    for entry in objects:
        for steps in _objects_in(entry):
            found[steps] = found.get(steps, 0) + 1
    return tuple(sorted(found, key=lambda steps: -found[steps])[:MOST_PARENTS])


def _objects_in(entry: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in entry.items():
        if isinstance(value, dict) and value and len(before) + 1 < DEPTH:
            yield (*before, key)
            yield from _objects_in(value, (*before, key))


def time_form_of(
    objects: Sequence[Mapping[str, Any]], paths: Sequence[str]
) -> tuple[TimeForm | None, dict[str, str]]:
    """The form of the texts that a sample of entries has for times under these paths, and what is assumed of it; None where it is a usual one, or there are none."""
    texts = [entry[path] for entry in objects[:ENOUGH] for path in paths if path in entry]
    readings = [times.first_in(text) for text in texts if isinstance(text, str)]
    form = times.most_common(readings)
    if form is None or form.is_iso or "epoch" in form.parts:
        return None, {}
    return form, times.assumed(readings, form)


def zones_of(objects: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> tuple[str, ...]:
    """The zones of the times that a sample of entries has under these paths, an empty one where a time names none."""
    texts = (entry[path] for entry in objects[:ENOUGH] for path in paths if path in entry)
    found = ((text, times.first_in(text)[:1]) for text in texts if isinstance(text, str))
    # What follows a time that names none stands for one.
    zones = {
        item.zone or text[item.end :].strip()
        for text, items in found
        for item in items
        if not item.form.is_utc
    }
    return tuple(sorted(zones))


def _scalars(entry: Mapping[str, Any], before: str = "", depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
    for key, value in entry.items():
        path = f"{before}{key}"
        if isinstance(value, dict):
            if depth > 1:
                yield from _scalars(value, f"{path}.", depth - 1)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            yield path, value


def _named(
    values: Mapping[str, list[Any]], names: Sequence[str], fits: Callable[[Any], bool | None]
) -> list[str]:
    """The paths that end in one of these names and hold what fits, by the order of the names and then by their depth."""
    ranked = []
    for path, held in values.items():
        steps = path.split(".")
        # `$date` is how the time in `t` is written; a name may also be that of the last two steps.
        last = re.sub(r"[^a-z0-9]", "", steps[-1].lower())
        both = re.sub(r"[^a-z0-9]", "", "".join(steps[-2:]).lower())
        place = next((names.index(name) for name in (both, last) if name in names), None)
        if place is not None and _mostly(fits, held):
            ranked.append((len(steps), place, path))
    return [path for _, _, path in sorted(ranked, key=lambda item: (item[1], item[0]))]


def _mostly(fits: Callable[[Any], bool | None], held: Sequence[Any]) -> bool:
    """Whether most of these fit, of those that tell it."""
    some = held[:: max(1, len(held) // (2 * ENOUGH))]
    told = [found for found in map(fits, some) if found is not None]
    return bool(told) and sum(told) >= MOST * len(told)


def _is_time(value: Any) -> bool:
    if isinstance(value, int | float):
        return 3e8 <= value < 5e9 or 3e11 <= value < 5e12 or 3e14 <= value < 5e15 or 3e17 <= value < 5e18
    return len(value) <= 64 and any(item.start <= 1 for item in times.first_in(value))


def _is_surely_a_time(value: Any) -> bool:
    """Whether it is one by whatever name: an id may be a number of as many digits, which would be a time of the past or the future."""
    if isinstance(value, int | float):
        return any(unit <= value < 2 * unit for unit in (1e9, 1e12, 1e15))
    return _is_time(value)


def _is_status(value: Any) -> bool | None:
    """Whether it is a status of HTTP; None of what stands there where nothing was answered, which may be most requests of an outage."""
    return None if str(value) in _UNANSWERED else bool(re.fullmatch("[1-5][0-9]{2}", str(value)))


def _is_level(value: Any) -> bool:
    return bool(LEVEL_WORDS.fullmatch(str(value)) or re.fullmatch("[0-7]|[1-6]0", str(value)))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_nanos(value: Any) -> bool:
    return bool(re.fullmatch("[0-9]{1,9}", str(value)))


def _is_size(value: Any) -> bool:
    return bool(re.fullmatch("[0-9]{1,15}", str(value)))


def _is_message(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[-+.,:]*\d[-+\d.,:]*", value) is None


_FITS: dict[str, Callable[[Any], bool | None]] = {
    "timestamp": _is_time, "fraction": _is_nanos, "status": _is_status, "severity": _is_level, "body": _is_message, "stack": _is_text, "method": _is_text,
    "url": _is_text, "trace": _is_text, "span": _is_text, "service": _is_text, "instance": _is_text,
    "user_agent": _is_message, "remote_ip": _is_text, "request_bytes": _is_size, "response_bytes": _is_size, "protocol": _is_text,
}  # fmt: skip
