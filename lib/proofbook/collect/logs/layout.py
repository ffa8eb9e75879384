"""How the lines of a text log are laid out: where the time stands, what stands around it, and where the message begins.

It is learnt from a sample of lines: what nearly all of them have in one place belongs to the header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from proofbook.collect.logs import times, zones
from proofbook.collect.logs.times import Found, TimeForm

# Of lines that are alike, so many must have the same thing in one place for it to belong to the header.
NEARLY_ALL = 0.9
# From so many lines on, what only looks like a part of a header is one where nearly all lines have it.
ENOUGH = 5
# A word that stands in so many lines, for each other word in its place, is the name of a host, a thread or a program.
LINES_PER_NAME = 5
MAX_ITEMS, MAX_NAMES = 12, 3
# Of lines, so many may have something in a header that looks like a message.
UNLIKE = 0.3
# The rarest beyond so many layouts are read as text that begins with a time in one of the usual forms.
MOST_LAYOUTS = 6
LEVELS = (
    "trace[1-9]?|trce|trc|debug[1-9]?|dbug|dbg|verbose|vrb|finest|finer|fine|config|information|informational|info|inf|notice|note|success|"
    "warning|warn|wrn|error|eror|err|fail|failure|severe|critical|crit|crt|fatal|fata|ftl|panic|dpanic|alert|emergency|emerg|log"
)
USUAL_LEVELS = ("TRACE", "DEBUG", "INFO", "NOTICE", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")
# What joins two tracebacks, and what begins the trace of a goroutine.
CHAINS = (
    "During handling of the above exception|The above exception was the direct cause|Caused by:(?: |$)|Wrapped by: |Suppressed: |--- End of |---> "
    r"|Next \S*(?:Error|Exception|\\)\S*: |\[previous exception\] "
)
GO_TRACE = r"goroutine [0-9]+ \["
# A frame of Ruby, which need not be indented.
RUBY_FRAME = r"(?:[\w-]+ \([0-9.]+\) |\[[\w.:-]+\] )?[\w./<(~@+][^\s:]*(?::[\w./]+>)?:[0-9]+:in [\x60']"
# A line that is not indented and yet goes on with the one before it: parts of stack traces, and what closes a bracket.
GOES_ON = (
    rf"^(?:Traceback \(most recent call last\)|{CHAINS}|{GO_TRACE}|{RUBY_FRAME}"
    r'|File "[^"]+", line [0-9]+'
    r"|at \S|\.\.\. [0-9]+ (?:more|common)|(?:[\w$]+[.:]+)*[\w$]*(?:Error|Exception|Exit|Interrupt|Fault|Warning)(?::|$)"
    r"|panic(?:: |\((?:0x|\{))|fatal error: |created by |\[signal |exit status [0-9]|[\w./*()-]+\.[\w.*()-]+\((?:0x|\.\.\.|\{|\))"
    r"|\S+\.(?:go|rs|py|js|rb|php|java|cs|ex):[0-9]+(?: \+0x|$)|thread '|[Ss]tack backtrace:|note: run with|\*\* \(|\(\w+ [0-9.]+\) \S|(?:PHP )?Stack trace:"
    r"|#[0-9]+ |\[stacktrace\]|Last message(?: \(from [^)]*\))?: |State: |Node\.js v[0-9]|</?[A-Za-z?!]|--> |[\]})\"]+[;,]?\s*$)"
)
# Where so many entries, and that share of them, have other lines as well, messages of several lines are the rule.
OFTEN, USUAL_SHARE = 3, 0.2
# What Docker Compose puts before each line, also before one that goes on.
_CONTAINER = re.compile(r"[\w.-]+ +\| ")
_W = r"""[^\s\[\](){}<>|"'=:,;#+]+"""
# What says that the time of its line follows: its name, and the priority of syslog with what a sender puts around it.
_TIME_FOLLOWS = re.compile(
    r"^(?:\"?(?:ts|t|time|timestamp|datetime)\"?[=:] ?\"?|(?:\d+ )?<\d{1,3}>(?:\d )?)$", re.IGNORECASE
)
# Redis writes process and role before the time, and a mark for the level behind it; ESXi a short word and its number.
_BEFORE_MARK, _MARK = re.compile(r"(?:^|[\s|])(?:\d+:[XCSM]|\[\d+\]) $"), r"[ \t][.*#-](?:[ \t]|$)"
SHORT_WORDS = "Db|In|No|Wa|Er|Cr|Al|Em"
MARKS = {
    ".": "DEBUG", "-": "DEBUG", "*": "NOTICE", "#": "WARNING",
    "Db": "DEBUG", "In": "INFO", "No": "NOTICE", "Wa": "WARNING", "Er": "ERROR", "Cr": "CRITICAL", "Al": "ALERT", "Em": "EMERGENCY",
}  # fmt: skip
# Lines whose time stands behind what they say: a request of Rails, and one that sets off those after it.
_STARTED = r'Started [A-Z]+ "[^"]*" for \S+ at '
_TIME_LAST = re.compile(rf'{_STARTED}[^"]+$|([=*#-])\1{{2,}} .* \1{{3,}}\s*$')
# Where so many lines have their time behind what they say, it is there that they are dated, whatever they say.
MOSTLY_BEHIND = 0.5
# What stands before such a time: anything, or, where the time has a name among pairs, what ends in its name.
_ANYTHING = r".*[^\w./-]"
_NAMED_BEHIND = re.compile(r"[\s,]((?:ts|t|time|timestamp|datetime)=\"?)$", re.IGNORECASE)
# What may stand between such a time and the end of its line.
CLOSERS = r"""[\])>}"'.;, \t]*"""
# What opens a time, and its name.
BEFORE_TIME = r"""(?:[\s,]*\b(?i:ts|t|time|timestamp|datetime)=)?[\s\[(<{"']*$"""
# Words as a sentence has them, and how many of them in a row are one.
_WORDS_IN_A_ROW, SENTENCE = re.compile(r"(?<![\w./-])[^\W\d_]{2,}(?: [^\W\d_]{2,})+(?![\w./-])"), 3


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
class Layout:
    """One layout of lines.

    Its patterns are RE2's and have no groups: to find where one ends takes a tenth of the time that groups take.

    Args:
        form: of its time; None of lines that have none. header: of a line's beginning up to its message. begins: the part of it
            that every line has that begins an entry. time: of the time in the header. level: where none is learnt, None.
        lines: how many of the sample have this layout. places: names such as Europe/Berlin of zones in their times.
        assumed: a time that may be of another day, with the day that it is taken for.
        is_message: whether what stands before the time is the message, or a part of it.
    """

    form: TimeForm | None
    header: str
    begins: str = ""
    time: str = ""
    level: Level | None = None
    lines: int
    places: tuple[str, ...] = ()
    is_message: bool = False
    assumed: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_behind(self) -> bool:
        """Whether the time stands behind a message of any length."""
        return self.begins.startswith(f"^{_ANYTHING}")

    @property
    def begins_with_time(self) -> bool:
        """Whether nothing stands before the time."""
        return self.begins == f"^(?:{self.time})"


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
    "esxi": _Item(pattern=rf"[ \t]*(?:{SHORT_WORDS})\(\d{{1,3}}\)(?:[ \t]|$)", sure=True),
    "close": _Item(pattern=r"[\])>}|,;:]{1,2}[ \t]?", sure=True),
    "thread and level": _Item(pattern=rf"[ \t]*\[[^\[\]/\n]{{1,60}}/(?i:{LEVELS})\]:?[ \t]?", sure=True),
    "level": _Item(
        pattern=rf"[ \t]*[\[(<]? ?(?:[\w.-]+[.:])?(?i:{LEVELS}|{_NO_LEVELS})(?: ?[\])>][:|]?[ \t]?|[:|,;][ \t]?|[ \t/-]|$)", sure=True,
        share=0.8
    ),
    "clock": _Item(pattern=r"[ \t]*[\[(]?\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?[\])]?(?:[ \t]|$)", sure=True),
    "id": _Item(pattern=r"[ \t]*[\[(]?(?i:(?:trace|span|request|req|correlation|session|transaction)[_-]?id)[=:] ?[\w-]*[\])]?,?(?:[ \t]|$)", sure=True),
    "process": _Item(
        pattern=r"[ \t]*[\w./()@~+-]{1,80}(?:\[\d+\]:?|\[[\w.:-]{1,40}\]:|:)(?:[ \t]|$)", shown_by=r"[ \t]*\S+(?:\[\d+\]:?|\[[\w.:-]+\]:)(?:\s|$)", sure=True
    ),
    "host and process": _Item(
        pattern=r"[ \t]*[\w.-]{1,80} [\w./()@~+-]{1,80}(?:\[\d+\]:?|\[[\w.:-]{1,40}\]:|:)(?:[ \t]|$)",
        shown_by=r"[ \t]*[\w.-]+ [\w./()@~+-]+\[[\w.:-]+\]:(?:\s|$)",
        sure=True,
    ),
    "thread and place": _Item(pattern=rf"[ \t]*\d{{1,10}} [\w./-]+\.(?:{SOURCES}):\d+\][ \t]?", sure=True),
    "number in brackets": _Item(pattern=r"[ \t]*\[\d+\]:?[ \t]?", sure=True),
    # Several words are a message.
    "brackets": _Item(pattern=r"[ \t]*\[[^\[\]\n]{0,100}\]:?[ \t]?", unlike=r"[ \t]*\[(?:[A-Za-z]+ ){2,}[A-Za-z]+\]"),
    "parentheses": _Item(pattern=r"[ \t]*\([^()\n]{0,80}\)(?::?[ \t]|:?$)"),
    "angles": _Item(pattern=r"[ \t]*<[^<>\n]{0,80}>(?::?[ \t]|:?$)"),
    "dash": _Item(pattern=r"[ \t]*(?:-{1,3}|\||::?|>)[ \t]", sure=True),
    "letter": _Item(pattern=r"[ \t]*\[?[TVDINWEFCA](?:\][ \t]?|[ \t/|:,])"),
    "number": _Item(pattern=r"[ \t]*[#-]?\d{1,10}(?:#\d+)?(?:[:\])][ \t]?|[ \t])"),
    "component": _Item(pattern=r"[ \t]*[^\s:\[\]\"'=]{1,100}(?:\[\d+\])?:(?:[ \t]|$)"),
    "place": _Item(pattern=rf"[ \t]*[\w./$-]+\.(?:{SOURCES}):\d+\]?(?:[ \t]|$)"),
    "dotted": _Item(pattern=r"[ \t]*[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)+(?:[#:]\d+)?[ \t]"),
}  # fmt: skip
# What may follow a name that all lines have.
_AFTER_ONE_NAME = {name for name, item in _ITEMS.items() if item.sure} | {"time"}
_NAME = r"[ \t]*[^\s\[\]():=\"']+[ \t]"
# What is the level in an item, the letter that it is, and the mark.
_LEVEL_OF = {
    "thread and level": rf"\b(?i:{LEVELS})\b",
    "level": rf"\b(?i:{LEVELS}|{_NO_LEVELS})\b",
    "letter": "[TVDINWEFCA]",
    "redis": _MARK,
    "esxi": SHORT_WORDS,
}
_COMPILED = {name: re.compile(item.pattern) for name, item in _ITEMS.items()}
_COMPILED_NAME = re.compile(_NAME)


def learn(lines: Sequence[str], *, stated: TimeForm | None = None) -> list[Layout]:
    """The layouts in a sample of lines, the most frequent first, and no more than MOST_LAYOUTS; none where no line holds a time.

    stated: the form of their times.
    """
    written = [line for line in lines if line[:1].strip()]
    alike: dict[str, list[tuple[str, list[Found]]]] = {}
    for line in written:
        started = re.match(_STARTED, line)
        # What is asked for may name a time too.
        first = () if started else times.first_in(line, form=stated)
        if found := first or times.last_in(line, form=stated):
            shape = _STARTED if started else _shape(line[: found[0].start])
            alike.setdefault(shape, []).append((line, found))
    alike = _put_behind(alike, of=len(written))
    layouts: list[Layout] = []
    for shape, members in sorted(alike.items(), key=lambda item: (-len(item[1]), len(item[0]))):
        left = members
        while left and len(layouts) < MOST_LAYOUTS and _is_header(shape, left, of=len(written)):
            readings = [found for _, found in left]
            form = times.most_common(readings)
            assert form is not None
            own = [(line, item) for line, found in left for item in found if item.form is form]
            layouts.append(replace(_layout(shape, form, own), assumed=times.assumed(readings, form)))
            left = [(line, found) for line, found in left if all(item.form is not form for item in found)]
    return sorted(layouts, key=lambda layout: -layout.lines)


def _put_behind(
    alike: dict[str, list[tuple[str, list[Found]]]], *, of: int
) -> dict[str, list[tuple[str, list[Found]]]]:
    """Lines by what stands before their time, those as one that say what they say before it. of: how many lines there are."""
    behind: dict[str, list[str]] = {}
    for shape, members in alike.items():
        line, found = members[0]
        before = line[: found[0].start]
        if named := _NAMED_BEHIND.search(before):
            behind.setdefault(_ANYTHING + re.escape(named[1]), []).append(shape)
        elif _W in shape and not _TIME_FOLLOWS.search(before) and not _TIME_LAST.match(line) and _end_there(members):
            behind.setdefault(_ANYTHING, []).append(shape)
    merged = dict(alike)
    for anything, shapes in behind.items():
        counts = [len(alike[shape]) for shape in shapes]
        # Pairs that stand in one order have a header as other lines have.
        in_order = anything != _ANYTHING and 2 * max(counts) > sum(counts)
        if sum(counts) >= max(2, MOSTLY_BEHIND * of) and not in_order:
            merged[anything] = [member for shape in shapes for member in merged.pop(shape)]
    return merged


def _end_there(members: Sequence[tuple[str, Sequence[Found]]]) -> bool:
    """Whether most lines say nothing after their time."""
    return 2 * sum(not re.search(r"\w", line[found[0].end :]) for line, found in members) > len(members)


def _is_sentence(before: Sequence[str], tail: _Tail) -> bool:
    """Whether most lines that begin alike say something before their time, where a header is expected."""
    if tail.is_header:
        return False
    return 2 * sum(map(_says, before)) > len(before)


def _says(before: str) -> bool:
    """Whether a text before a time is more than names: words in a row as in a sentence, levels left out."""
    runs = (
        sum(not re.fullmatch(rf"(?i:{LEVELS})", word) for word in run.split())
        for run in _WORDS_IN_A_ROW.findall(before)
    )
    longest = max(runs, default=0)
    # Two words between spaces may be a host and a program.
    return longest >= SENTENCE or (longest == 2 and bool(re.search(r"[|;,\t]", before)))


def learn_header(lines: Sequence[str]) -> list[Layout]:
    """The layout of lines without a time, as a container writes them: what stands before their messages; none where nothing does."""
    written = [line for line in lines if line[:1].strip()]
    tail = _tail(written, has_level=False)
    if not tail.pattern:
        return []
    return [
        Layout(form=None, header=f"^(?:{tail.pattern})?", level=tail.level_after("^"), lines=len(written))
    ]


def has_long_messages(lines: Sequence[str], begins: str) -> bool:
    """Whether messages of several lines that are not indented are usual among these."""
    is_head, is_part = re.compile(begins), re.compile(GOES_ON)
    entries, longer, open_ = 0, 0, False
    before = ""
    for line in lines:
        if not line.strip():
            continue
        if is_head.search(line):
            entries, open_ = entries + 1, True
        elif _CONTAINER.match(line):
            open_ = False
        elif open_ and line[0].strip() and (before[:1].strip() or not before) and not is_part.search(line):
            longer, open_ = longer + 1, False
        before = line
    return longer >= OFTEN and longer >= USUAL_SHARE * entries


def _shape(prefix: str) -> str:
    """The pattern of what stands before a time: words are any words, signs stay."""
    pieces = re.findall(rf"{_W}|[ \t]+|.", prefix)
    return "".join(
        _W if re.fullmatch(_W, piece) else r"[ \t]+" if piece.isspace() else re.escape(piece)
        for piece in pieces
    )


def _is_header(shape: str, members: Sequence[tuple[str, Sequence[Found]]], *, of: int) -> bool:
    """Whether a time after that prefix dates the lines, and is not one that a message names. of: how many lines there are."""
    words = sum(_W in chunk for chunk in shape.split(r"[ \t]+"))
    if words == 0 or shape.startswith(_ANYTHING) or shape.endswith(r"\["):
        return True
    line, found = members[0]
    if _TIME_FOLLOWS.search(line[: found[0].start]) or _TIME_LAST.match(line):
        return True
    # After one word, such as a level or the name of a container, a few lines do; a sentence names a time as well.
    return len(members) >= 2 and len(members) >= (0.05 if words == 1 else 0.3) * of


def _layout(shape: str, form: TimeForm, members: Sequence[tuple[str, Found]]) -> Layout:
    """The layout of lines that begin alike."""
    before = [line[: item.start] for line, item in members]
    # What was opened before the time ends behind it.
    quote = '"' if before[0].endswith('"') else ""
    time = _ungrouped(form.pattern)
    if shape.startswith(_ANYTHING):
        return _layout_behind(shape, form, members)
    begins = f"^{shape}(?:{time})" + (f"{quote}?" if quote else "")
    rests = [line[item.end :].removeprefix(quote) for line, item in members]
    level, marked = _level_before(shape, form, before), ""
    if _BEFORE_MARK.search(before[0]) and _is_common([bool(re.match(_MARK, text)) for text in rests]):
        level, marked = Level(before=begins, word=_MARK, is_mark=True), _MARK
        rests = [re.sub(f"^{_MARK}", "", text) for text in rests]
    tail = _tail(rests, has_level=level is not None)
    after = rf"{tail.pattern}|[ \t]" if tail.pattern else r"[ \t]"
    header = rf"{begins}(?:{marked}(?:{tail.pattern})?|{after})?" if marked else rf"{begins}(?:{after})?"
    return Layout(
        form=form,
        header=header,
        begins=begins,
        time=time,
        level=level or tail.level_after(begins),
        lines=len(members),
        places=zones.places_in(item.zone for _, item in members),
        is_message=bool(_TIME_LAST.match(members[0][0])) or _is_sentence(before, tail),
    )


def _layout_behind(shape: str, form: TimeForm, members: Sequence[tuple[str, Found]]) -> Layout:
    """The layout of lines whose time stands behind what they say."""
    time = _ungrouped(form.pattern)
    ends = "" if shape != _ANYTHING else rf"{CLOSERS}$"
    return Layout(
        form=form,
        header=f"^{shape}(?:{time}){ends}",
        begins=f"^{shape}(?:{time}){ends}",
        # What is said may name other times before it.
        time=rf"(?:{time}){CLOSERS}$",
        lines=len(members),
        places=zones.places_in(item.zone for _, item in members),
        is_message=True,
    )


def _level_before(shape: str, form: TimeForm, prefixes: Sequence[str]) -> Level | None:
    """The level that stands before a time, or is a part of its form; None where none does in nearly all lines."""
    if "severity" in form.parts:
        return Level(before=f"^{shape}", word="[A-Z]")
    words = [re.findall(_W, prefix) for prefix in prefixes]
    for place in range(shape.count(_W)):
        named = sum(bool(re.fullmatch(rf"(?i:{LEVELS})", item[place])) for item in words)
        if named >= NEARLY_ALL * len(words):
            return Level(before="^" + _W.join(shape.split(_W)[: place + 1]), word=_W)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tail:
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
        return Level(before=before, word=self.level, is_mark=self.level in (_MARK, SHORT_WORDS))


def _tail(rests: Sequence[str], *, has_level: bool) -> _Tail:
    """What stands between the time and the message in nearly all of these texts."""
    patterns: list[str] = []
    left, names, level_at, level = list(rests), 0, None, ""
    for _ in range(MAX_ITEMS):
        item = _next_item(left, has_level=has_level)
        if item is not None:
            name, pattern, ends = item
            after = [text[end:] for text, end in zip(left, ends, strict=True) if end]
            if name in _LEVEL_OF:
                has_level, level_at, level = True, len(patterns), _LEVEL_OF[name]
            elif not _say_something(after):
                break
            left = after
        elif names < MAX_NAMES and (after := _after_name(left, has_level=has_level)) is not None:
            pattern, left, names = _NAME, after, names + 1
        else:
            break
        patterns.append(pattern)
    return _Tail(patterns=tuple(patterns), level_at=level_at, level=level)


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
        if not (_is_common(ends, share=item.share) and shown and (item.sure or len(left) >= ENOUGH)):
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
    return ("time", rf"[ \t\[(]{{0,2}}{_ungrouped(form.pattern)}", ends) if _is_common(ends) else None


def _is_common(ends: Sequence[int], *, share: float = NEARLY_ALL) -> bool:
    return len(ends) > 0 and sum(end > 0 for end in ends) >= share * len(ends)


def _after_name(left: Sequence[str], *, has_level: bool, names: int = 1) -> list[str] | None:
    """What is left of these texts after a name; None where no name stands there, or no other item follows it."""
    found = [match for text in left if (match := _COMPILED_NAME.match(text))]
    if len(found) < NEARLY_ALL * len(left) or len(found) < LINES_PER_NAME:
        return None
    if len({match.group() for match in found}) * LINES_PER_NAME > len(found):
        return None
    rests = [match.string[match.end() :] for match in found]
    item = _next_item(rests, has_level=has_level)
    if item is not None:
        # One word in all lines is the name of their host or program, or the first of a message that they all have.
        is_name = len({match.group() for match in found}) > 1 or item[0] in _AFTER_ONE_NAME
        return rests if is_name and _say_something(rests) else None
    further = names < MAX_NAMES and _after_name(rests, has_level=has_level, names=names + 1)
    return rests if further else None


def _ungrouped(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)
