"""The header of a line of text: what stands between its time and its message, learnt from a sample of lines.

What nearly all of them have in one place belongs to the header.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from proofbook.collect.logs import times

# Of lines that are alike, so many must have the same thing in one place for it to belong to the header.
NEARLY_ALL = 0.9
# From so many lines on, what only looks like a part of a header is one where nearly all lines have it.
ENOUGH = 5
# A word that stands in so many lines, for each other word in its place, is the name of a host, a thread or a program.
LINES_PER_NAME = 5
MAX_ITEMS, MAX_NAMES = 12, 3
# Of lines, so many may have something in a header that looks like a message.
UNLIKE = 0.3
LEVELS = (
    "trace[1-9]?|trce|trac|trc|debug[1-9]?|debu|dbug|dbg|verbose|vrb|finest|finer|fine|config|information|informational|info|inf|notice|note|success|"
    "warning|warn|wrn|error|eror|erro|err|fail|failure|severe|critical|crit|crt|fatal|fata|ftl|panic|pani|dpanic|alert|emergency|emerg|log"
)
USUAL_LEVELS = ("TRACE", "DEBUG", "INFO", "NOTICE", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")
# Redis writes process and role before the time, and a mark for the level behind it; ESXi a short word and its number.
BEFORE_MARK, MARK = re.compile(r"(?:^|[\s|])(?:\d+:[XCSM]|\[\d+\]) $"), r"[ \t][.*#-](?:[ \t]|$)"
SHORT_WORDS = "Db|In|No|Wa|Er|Cr|Al|Em"
MARKS = {
    ".": "DEBUG", "-": "DEBUG", "*": "NOTICE", "#": "WARNING",
    "Db": "DEBUG", "In": "INFO", "No": "NOTICE", "Wa": "WARNING", "Er": "ERROR", "Cr": "CRITICAL", "Al": "ALERT", "Em": "EMERGENCY",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Where a header holds a level, as RE2's patterns: what stands before it, and the first of what comes then that is it.

    is_mark: whether it is one of MARKS.
    """

    before: str
    word: str
    is_mark: bool = False

    @property
    def is_word(self) -> bool:
        """Whether it is one of LEVELS, as a word of its own."""
        return self.word.startswith(r"\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """Something that a header may hold.

    sure: that it belongs to it also where few lines show it. shown_by: what some of them must match. share: of lines that must
    have it. unlike: what few of them may match.
    """

    pattern: str
    sure: bool = False
    shown_by: str = ""
    unlike: str = ""
    share: float = NEARLY_ALL


# What PostgreSQL writes in the place of a level.
_NO_LEVELS = "statement|detail|hint|context"
# How files of source code end.
SOURCES = "go|py|js|mjs|ts|java|kt|scala|rb|php|rs|c|cc|cpp|h|cs|ex|exs|erl|pl|swift|lua"
# In the order in which they are tried: of what fits in one place, the more special first. Each takes one space after it along: what is indented stays so.
_ITEMS: dict[str, _Item] = {
    "redis": _Item(pattern=r"[ \t]*\d+:[XCSM] \d\d [A-Z][a-z]{2} \d{4} [\d:.]{8,12} [.*#-](?:[ \t]|$)", sure=True),
    "esxi": _Item(pattern=rf"[ \t]*(?:{SHORT_WORDS})\(\d{{1,3}}\)(?:\[\+\])?(?:[ \t]|$)", sure=True),
    "close": _Item(pattern=r"[\])>}|,;:]{1,2}[ \t]?", sure=True),
    "logger of Ruby": _Item(pattern=rf"[ \t]*#\d+\][ \t]+(?i:{LEVELS}|any)[ \t]+-- [^:\n]{{0,80}}:(?:[ \t]|$)", sure=True),
    "logcat": _Item(pattern=r"[ \t]+(?:[\w-]+[ \t]+)?\d+[ \t]+\d+[ \t]+[VDIWEFSA][ \t](?:[\w.$/() -]{1,60}: ?)?", sure=True),
    "id and letter": _Item(pattern=r"[ \t]*[0-9A-Fa-f]{8,20} (?:[\w.$/-]{1,40} +)?[FEWAICDORTV][ \t]+", sure=True),
    "letter and component": _Item(pattern=r"[ \t]*[DIWEF]\d?[ \t]+(?:[A-Z_]{2,}|-)[ \t]+\[[^\[\]\n]{1,60}\](?:[ \t]|$)", sure=True),
    "level and thread": _Item(pattern=rf"[ \t]*(?i:{LEVELS})/[\w .:#-]{{1,60}}\]:?(?:[ \t]|$)", sure=True),
    "level and number": _Item(pattern=rf"[ \t]*(?i:{LEVELS})\[\d+\](?:\[[\w-]+\])?:?(?:[ \t]|$)", sure=True),
    "brackets and level": _Item(pattern=rf"[ \t]*(?:\[[^\[\]\n]{{0,100}}\][ \t]*){{1,3}}(?:{LEVELS.upper()})(?::?[ \t]|$)", sure=True),
    "thread and level": _Item(pattern=rf"[ \t]*\[[^\[\]/\n]{{1,60}}/(?i:{LEVELS})\]:?[ \t]?", sure=True),
    "level": _Item(
        pattern=rf"[ \t]*[\[(<]? ?(?:[\w.-]+[.:])?(?i:{LEVELS}|{_NO_LEVELS})(?: *[\])>][:|]?[ \t]?|[:|,;][ \t]?|[ \t/-]|$)", sure=True,
        share=0.8
    ),
    "clock": _Item(pattern=r"[ \t]*[\[(]?\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?[\])]?(?:[ \t]|$)", sure=True),
    "id": _Item(pattern=r"[ \t]*[\[(]?(?i:(?:trace|span|request|req|correlation|session|transaction)[_-]?id)[=:] ?[\w-]*[\])]?,?(?:[ \t]|$)", sure=True),
    "process": _Item(
        pattern=r"[ \t]*[\w./()@~+-]{1,80}(?:\[\d+\]:?|\[[\w.:-]{1,40}\]:|:)(?:[ \t]|$)", shown_by=r"[ \t]*\S+(?:\[\d+\]:?|\[[\w.:-]+\]:)(?:\s|$)", sure=True
    ),
    "host and process": _Item(
        pattern=r"[ \t]*[\w.-]{1,80} [\w./()@~+-]{1,80}(?:\[\d+\]:?|\[[\w.:-]{1,40}\]:|:)(?:[ \t]|$)",
        shown_by=r"[ \t]*[\w.-]+ (?:[\w./()@~+-]+\[[\w.:-]+\]|kernel):(?:\s|$)",
        sure=True,
    ),
    "thread and place": _Item(pattern=rf"[ \t]*\d{{1,10}} [\w./-]+\.(?:{SOURCES}):\d+\][ \t]?", sure=True),
    "number and level": _Item(pattern=rf"[ \t]*\d{{1,20}} \[(?i:{LEVELS})\](?:[ \t]|$)", sure=True),
    "number in brackets": _Item(pattern=r"[ \t]*\[\d+\]:?[ \t]?", sure=True),
    # Several words are a message.
    "brackets": _Item(pattern=r"[ \t]*\[[^\[\]\n]{0,100}\]:?[ \t]?", unlike=r"[ \t]*\[(?:[A-Za-z]+ ){2,}[A-Za-z]+\]"),
    "parentheses": _Item(pattern=r"[ \t]*\([^()\n]{0,80}\)(?::?[ \t]|:?$)"),
    "angles": _Item(pattern=r"[ \t]*<[^<>\n]{0,80}>(?::?[ \t]|:?$)"),
    "closing": _Item(pattern=r"[ \t]*[\w.:/$#-]{1,80}\][ \t]?", sure=True),
    "logger": _Item(pattern=r"[ \t]*[A-Za-z_$][\w$]*(?:(?:\.|::)[\w$]+)+(?:[#:]\d+)?[ \t]+-{1,2}[ \t]", sure=True),
    "title": _Item(pattern=r"[ \t]*={2,}(?:[ \t]|$)", sure=True),
    "dash": _Item(pattern=r"[ \t]*(?:-{1,3}|\||::?|>)[ \t]", sure=True),
    "letter": _Item(pattern=r"[ \t]*\[?[TVDINWEFCA](?:\][ \t]?|[ \t/|:,])", unlike=r"[ \t]*(?:I|A) {1,2}[a-z']"),
    "number": _Item(pattern=r"[ \t]*[#-]?\d{1,10}(?:#\d+)?(?:[:\])][ \t]?|[ \t])"),
    "component": _Item(pattern=r"[ \t]*[^\s:\[\]\"'=]{1,100}(?:\[\d+\])? *:(?:[ \t]|$)"),
    "place": _Item(pattern=rf"[ \t]*[\w./$-]+\.(?:{SOURCES}):\d+\]?(?:[ \t]|$)"),
    "dotted": _Item(pattern=r"[ \t]*[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)+(?:[#:]\d+)?[ \t]"),
}  # fmt: skip
# What may follow a name that all lines have.
_AFTER_ONE_NAME = {name for name, item in _ITEMS.items() if item.sure} | {"time"}
_NAME = r"[ \t]*[^\s\[\]():=\"']+[ \t]"
# What is the level in an item, the letter that it is, and the mark.
_LEVEL_OF = {
    "thread and level": rf"\b(?i:{LEVELS})\b",
    "level and number": rf"\b(?i:{LEVELS})\b",
    "brackets and level": rf"\b(?:{LEVELS.upper()})\b",
    "level and thread": rf"\b(?i:{LEVELS})\b",
    "number and level": rf"\b(?i:{LEVELS})\b",
    "logger of Ruby": rf"\b(?i:{LEVELS}|any)\b",
    "logcat": "[VDIWEFA]",
    "letter and component": "[DIWEF]",
    "id and letter": r"[ \t][FEWIDTV][ \t]",
    "level": rf"\b(?i:{LEVELS}|{_NO_LEVELS})\b",
    "letter": "[TVDINWEFCA]",
    "redis": MARK,
    "esxi": SHORT_WORDS,
}
_COMPILED = {name: re.compile(item.pattern) for name, item in _ITEMS.items()}
_COMPILED_NAME, _NO_WORD = re.compile(_NAME), re.compile(r"[ \t]*\[?[DWEFVT](?:\]|[ \t/|])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What stands between the time and the message: the patterns of its items, and which of them is the level."""

    patterns: tuple[str, ...]
    level_at: int | None
    level: str

    @property
    def is_header(self) -> bool:
        """Whether it is surely no part of a sentence."""
        return self.level_at is not None or _ITEMS["process"].pattern in self.patterns

    @property
    def pattern(self) -> str:
        """One pattern of all. A line that has the first of them may lack those after it."""
        return "(?:".join(self.patterns) + ")?" * (len(self.patterns) - 1) if self.patterns else ""

    def level_after(self, begins: str) -> Level | None:
        """The level, in a header that begins so."""
        if self.level_at is None:
            return None
        before = begins + "".join(self.patterns[: self.level_at])
        return Level(before=before, word=self.level, is_mark=self.level in (MARK, SHORT_WORDS))


def tail_of(rests: Sequence[str], *, has_level: bool) -> Tail:
    """What stands between the time and the message in nearly all of these texts."""
    patterns: list[str] = []
    left, names, level_at, level = list(rests), 0, None, ""
    for _ in range(MAX_ITEMS):
        item = _next_item(left, has_level=has_level)
        if item is not None:
            name, pattern, ends = item
            others = [text[end:] for text, end in zip(left, ends, strict=True) if end]
            if name in _LEVEL_OF:
                has_level, level_at, level = True, len(patterns), _LEVEL_OF[name]
            elif not _say_something(others):
                break
            left = others
        elif names < MAX_NAMES and (after := _after_name(left, has_level=has_level)) is not None:
            pattern, left, names = _NAME, after, names + 1
        else:
            break
        patterns.append(pattern)
    return Tail(patterns=tuple(patterns), level_at=level_at, level=level)


def _say_something(left: Sequence[str]) -> bool:
    """Whether most of these texts hold a word: of a log that says the same again and again, the message looks like a header."""
    return 2 * sum(bool(re.search(r"\w", text)) for text in left) > len(left)


def _next_item(left: Sequence[str], *, has_level: bool) -> tuple[str, str, list[int]] | None:
    """The name and pattern of the item with which nearly all of these texts begin, and where it ends in each (0: it is not there)."""
    for name, item in _ITEMS.items():
        if name in _LEVEL_OF and has_level:
            continue
        ends = [found.end() if (found := _COMPILED[name].match(text)) else 0 for text in left]
        shown = not item.shown_by or any(re.match(item.shown_by, text) for text in left)
        # Of few lines, some must begin with a letter that is no word.
        enough = item.sure or len(left) >= ENOUGH or (name == "letter" and any(map(_NO_WORD.match, left)))
        if not (is_common(ends, share=item.share) and shown and enough):
            continue
        if not item.unlike or sum(bool(re.match(item.unlike, text)) for text in left) <= UNLIKE * len(left):
            return name, item.pattern, ends
    return _second_time(left)


def _second_time(left: Sequence[str]) -> tuple[str, str, list[int]] | None:
    """The time that a program writes after the one of its runtime."""
    readings = [[item for item in times.first_in(text, most=64) if item.start <= 2] for text in left]
    form = times.most_common(readings)
    if form is None:
        return None
    ends = [next((item.end for item in found if item.form is form), 0) for found in readings]
    return ("time", rf"[ \t\[(]{{0,2}}{ungrouped(form.pattern)}", ends) if is_common(ends) else None


def is_common(ends: Sequence[int], *, share: float = NEARLY_ALL) -> bool:
    return len(ends) > 0 and sum(end > 0 for end in ends) >= share * len(ends)


def _after_name(left: Sequence[str], *, has_level: bool, names: int = 1) -> list[str] | None:
    """What is left of these texts after a name; None where no name stands there, or no other item follows it."""
    found = [match for text in left if (match := _COMPILED_NAME.match(text))]
    if len(found) < NEARLY_ALL * len(left) or len(found) < LINES_PER_NAME:
        return None
    names_found = Counter(match.group() for match in found)
    if len(names_found) * LINES_PER_NAME > len(found):
        return None
    rests = [match.string[match.end() :] for match in found]
    item = _next_item(rests, has_level=has_level)
    if item is not None:
        # One word in all lines is the name of their host or program, or the first of a message that they all have.
        is_name = names_found.most_common(1)[0][1] < NEARLY_ALL * len(found) or item[0] in _AFTER_ONE_NAME
        return rests if is_name and _say_something(rests) else None
    further = names < MAX_NAMES and _after_name(rests, has_level=has_level, names=names + 1)
    return rests if further else None


def ungrouped(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)
