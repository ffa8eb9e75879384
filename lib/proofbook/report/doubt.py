"""The answer to “Could we be wrong?” for a pass: what was tested, how likely a fault would have shown, and what would add most."""

from __future__ import annotations

from collections.abc import Iterator

from proofbook.judge.reach import Asked, Log, NotAsked, Reach, Sureness, Unasked

# Two lines of a terminal of 100 columns, less the question before it.
LONGEST = 179
LONGEST_NAME = 18


def in_words(reach: Reach) -> str:
    """The reach of a verdict in a line or two of a terminal."""
    probes = list(_of_probes(reach.probes))
    logs = list(_of_logs(reach.logs)) if probes else list(_of_log_alone(reach.logs))
    number = [_number(reach.logs)] if probes and reach.logs else []
    told = _sentence([*probes, *number, *logs], reach)
    # How much a log holds stands with its finding too.
    return told if len(told) <= LONGEST else _sentence([*probes, *logs], reach)


def _sentence(asked: list[str], reach: Reach) -> str:
    told = f"Tested only: {', '.join(asked)}" if asked else "Nothing was asked"
    more = f" Would add most: {_more(reach.extends)}." if reach.extends is not None else ""
    return f"{told}. {_sure(reach.sureness)}.{more}"


def _sure(found: Sureness) -> str:
    if found.least is None:
        return "Detection power: not known"
    # Never rounded up to certainty.
    often = f"Detection power: at least {min(99, int(100 * found.least))}%"
    return often if found.numbered == found.claims else f"{often} ({found.numbered} of {found.claims} claims)"


def _of_probes(asked: Asked | None) -> Iterator[str]:
    if asked is None:
        return
    yield f"{_long(asked.seconds)} at {asked.began:%H:%M} UTC"
    yield "1 client" if asked.clients == 1 else f"{asked.clients:,} clients"
    yield f"{asked.at_once:,} at once"
    if asked.share is not None and asked.share < 1:
        yield f"{_percent(asked.share)} judged"
    if not asked.sockets:
        return
    if asked.idle_s is not None:
        yield f"idle {_long(asked.idle_s)}"
    elif asked.open_s is not None:
        yield f"open {_long(asked.open_s)}"
    if not asked.messages:
        yield "no messages"
    else:
        length = "ordinary" if asked.message_bytes is None else _bytes(asked.message_bytes)
        yield f"{length} {'text' if asked.characters else 'ASCII'}"


def _of_logs(logs: tuple[Log, ...]) -> Iterator[str]:
    """What of the logs beside the probes was not judged or read."""
    share, unread = min((log.share for log in logs), default=1.0), _unread(logs)
    if share < 1:
        yield f"{_percent(share)} of the log judged"
    if unread:
        yield f"{_percent(unread)} unread"


def _of_log_alone(logs: tuple[Log, ...]) -> Iterator[str]:
    """The log of which least is known, for all."""
    if not logs:
        return
    log = _least(logs)
    yield f"{log.number:,} {log.unit}{_at(log)}"
    yield f"{_long(log.seconds)} from {log.window[0]:%H:%M} UTC"
    if log.revision is not None:
        yield f"{_percent(log.share)} on {_short(log.revision)}"
    if unread := _unread(logs):
        yield f"{_percent(unread)} unread"


def _number(logs: tuple[Log, ...]) -> str:
    log = _least(logs)
    return f"{log.number:,} {log.unit}{_at(log)}" if log.places else f"{log.number:,} logged"


def _at(log: Log) -> str:
    """Where the symptom was met before."""
    more = f" and {len(log.places) - 1} more" if len(log.places) > 1 else ""
    return f" at {_short(log.places[0].name)}{more}" if log.places else ""


def _least(logs: tuple[Log, ...]) -> Log:
    return min(logs, key=lambda item: (item.share, item.number))


def _unread(logs: tuple[Log, ...]) -> float:
    return max((log.unread for log in logs), default=0.0)


def _more(item: NotAsked) -> str:
    words = {
        Unasked.TRAFFIC: f"the other {_percent(1 - item.share)} of traffic",
        Unasked.PLACE: f"requests to {_short(item.what)}",
        Unasked.LINES: f"the {_percent(1 - item.share)} of lines that were not read",
        Unasked.HOURS: f"the hours at which it showed before ({item.what} UTC)" if item.what else "the other hours of the day",
        Unasked.MESSAGES: "a message and its reply",
        Unasked.IDLE: "to idle for 1 min",
        Unasked.LENGTH: "messages of 64 KiB",
        Unasked.CHARACTERS: "other characters",
        Unasked.AT_ONCE: "more at once",
        Unasked.TIME: "1 h watch",
    }  # fmt: skip
    return words[item.kind]


def _percent(share: float) -> str:
    """A share in per cent that is rounded neither to none nor to all.

    >>> _percent(1.0), _percent(0.9996), _percent(0.00001), _percent(0.4)
    ('100%', '99.9%', '0.1%', '40%')
    """
    if share in (0.0, 1.0) or 0.01 <= share <= 0.99:
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _long(seconds: float) -> str:
    """A time in the largest unit that it fills.

    >>> _long(0.3), _long(41.2), _long(3180), _long(5400), _long(200_000)
    ('0.3 s', '41 s', '53 min', '1.5 h', '2.3 days')
    """
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length or (unit != "min" and seconds >= 1.4 * length):
            return (
                f"{seconds / length:.2g} {unit}"
                if seconds < 10 * length
                else f"{seconds / length:.0f} {unit}"
            )
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _bytes(number: int) -> str:
    """
    >>> _bytes(14), _bytes(8_000), _bytes(70_000)
    ('14 bytes', '8 kB', '70 kB')
    """
    return f"{number:,} bytes" if number < 1000 else f"{number / 1000:,.0f} kB"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
