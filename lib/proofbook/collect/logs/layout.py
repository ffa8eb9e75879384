"""How the lines of a text log are laid out: where the time stands, what stands around it, and where the message begins.

It is learnt from a sample of lines: what nearly all of them have in one place belongs to the header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, zip_longest

from proofbook.collect.logs import times, zones
from proofbook.collect.logs.headers import (
    BEFORE_MARK,
    LEVELS,
    MARK,
    NEARLY_ALL,
    Level,
    Tail,
    is_common,
    tail_of,
    ungrouped,
)
from proofbook.collect.logs.times import Found, TimeForm

# The rarest beyond so many layouts are read as text that begins with a time in one of the usual forms.
MOST_LAYOUTS = 6
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
    r"|\S+\.(?:go|rs|py|js|rb|php|java|cs|ex):[0-9]+(?: \+0x|$)|thread '|[Ss]tack (?:backtrace|traceback):|coroutine \d+:$|Stack \(most recent call last\)|note: run with|\*\* (?:Last message|When |Reason for|State machine|In state|[({\[])|\(\w+ [0-9.]+\) \S|(?:PHP )?Stack trace:"
    r"|#[0-9]+ |\[stacktrace\]|Last message(?: \(from [^)]*\))?: |State: |Node\.js v[0-9]|</?[A-Za-z?!]|--> |[\]})\"]+[;,]?\s*$)"
)
# Where so many entries, and that share of them, have other lines as well, messages of several lines are the rule.
OFTEN, USUAL_SHARE = 3, 0.2
# Lines after one that says nothing itself, at most, where they are its message.
MOST_BESIDE = 5
_LEVEL_FIRST = re.compile(rf"(?:{LEVELS.upper()}): ")
# What Docker Compose puts before each line, also before one that goes on.
CONTAINER_NAME = r"[\w.@-]+ +\| "
_CONTAINER = re.compile(CONTAINER_NAME)
_W = r"""[^\s\[\](){}<>|"'=:,;#+]+"""
# What says that the time of its line follows: its name, the priority of syslog with what a sender puts around it, and Erlang's title of a report.
_TIME_FOLLOWS = re.compile(
    r"^(?:(?:# ?)?\"?(?:ts|t|time|timestamp|datetime)\"?[=:] ?\"?|(?:\d+ )?<\d{1,3}>(?:\d )?|=\w+ REPORT==== )$",
    re.IGNORECASE,
)
_IS_TITLE = re.compile(r"=\w+ REPORT==== $")
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
# Cells between bars before a time.
_CELLS = re.compile(r"^(?:[^|]{1,40}\| ?){2,}$")
# A letter for a level, and nothing else.
_LETTER = re.compile(r"^(?:<[A-Z]>|\[[A-Z]\] ?|[A-Z] \[)$")
# What follows the time of an access line.
_ASKED = re.compile(r'\]? "(?:-|[A-Z]+ )')
# What opens a time, and its name.
BEFORE_TIME = r"""(?:[\s,]*\b(?i:ts|t|time|timestamp|datetime)=)?[\s\[(<{"']*$"""
# Brackets in the pattern of what stands before a time, and any content of theirs.
_IN_BRACKETS, _ANY_IN_BRACKETS, _WORD, _IN_THEIR_PLACE = (
    re.compile(r"\\\[.*?\\\]"),
    r"\[[^\[\]]*\]",
    "\x00",
    "\x01",
)
_FILLED_UP = r"[ \t]*"
# Words as a sentence has them, and how many of them in a row are one.
_WORDS_IN_A_ROW, SENTENCE = re.compile(r"(?<![\w./-])[^\W\d_]{2,}(?: [^\W\d_]{2,})+(?![\w./-])"), 3


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
    def is_all_digits(self) -> bool:
        """Whether its time is a number, or begins with one."""
        return self.form is not None and (self.form.is_utc or not self.form.signs)

    @property
    def is_container(self) -> bool:
        """Whether its header is the name of a container alone."""
        return self.form is None and self.header == f"^{CONTAINER_NAME}"

    @property
    def may_hold_level(self) -> bool:
        """Whether a header of it may hold a level, though most hold none in one place."""
        return (
            self.level is None
            and bool(self.begins)
            and self.header not in (self.begins, rf"{self.begins}(?:[ \t])?")
        )

    @property
    def begins_with_time(self) -> bool:
        """Whether nothing stands before the time."""
        return self.begins == f"^(?:{self.time})"


def learn(lines: Sequence[str], *, stated: TimeForm | None = None) -> list[Layout]:
    """The layouts in a sample of lines, the most frequent first, and no more than MOST_LAYOUTS; none where no line holds a time.

    stated: the form of their times.
    """
    written = _outermost(lines, stated=stated)
    alike: dict[str, list[tuple[str, list[Found]]]] = {}
    for line in written:
        if found := _time_of(line, stated=stated):
            shape = _STARTED if re.match(_STARTED, line) else _shape(line[: found[0].start])
            alike.setdefault(shape, []).append((line, found))
    alike = _put_behind(_put_in_brackets(alike), of=len(written))
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


def _outermost(lines: Sequence[str], *, stated: TimeForm | None) -> list[str]:
    """The lines that are not indented; those that are where they alone have times."""
    outer = [line for line in lines if line[:1].strip()]
    if any(times.first_in(line, form=stated) for line in outer):
        return outer
    inner = [line for line in lines if line.strip() and not line[:1].strip()]
    return inner if any(times.first_in(line, form=stated) for line in inner) else outer


def _time_of(line: str, *, stated: TimeForm | None) -> list[Found]:
    """Each reading of the time that may date a line: the first one, or the last where the first is a part of what it says."""
    first = times.first_in(line, form=stated)
    if first and not _says(line[: first[0].start]) and not re.match(_STARTED, line):
        return first
    return times.last_in(line, form=stated) or first


def _put_in_brackets(
    alike: dict[str, list[tuple[str, list[Found]]]],
) -> dict[str, list[tuple[str, list[Found]]]]:
    """Lines by what stands before their time, as one those that differ in what stands in brackets, such as the name of a thread."""
    similar: dict[str, list[str]] = {}
    for shape in alike:
        # A word is written with brackets too.
        plain = shape.replace(_W, _WORD)
        similar.setdefault(_IN_BRACKETS.sub(_IN_THEIR_PLACE, plain), []).append(plain)
    merged: dict[str, list[tuple[str, list[Found]]]] = {}
    for shapes in similar.values():
        within = [set(contents) for contents in zip(*map(_IN_BRACKETS.findall, shapes), strict=True)]
        inside = [_ANY_IN_BRACKETS if len(contents) > 1 else contents.pop() for contents in within]
        outside = _IN_BRACKETS.split(shapes[0])
        common = "".join(map("".join, zip_longest(outside, inside, fillvalue="")))
        merged[common.replace(_WORD, _W)] = [
            member for shape in shapes for member in alike[shape.replace(_WORD, _W)]
        ]
    return merged


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
        elif (
            _W in shape
            and not _TIME_FOLLOWS.search(before)
            and not _TIME_LAST.match(line)
            and _end_there(members)
        ):
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


def _is_sentence(before: Sequence[str], tail: Tail) -> bool:
    """Whether most lines that begin alike say something before their time, where a header is expected."""
    if tail.is_header:
        return False
    return 2 * sum(map(_says, before)) > len(before)


def _says(before: str) -> bool:
    """Whether a text before a time is more than names: words in a row as in a sentence, levels and what is in brackets left out."""
    before = re.sub(r"\[[^\]]*\]|\{[^}]*\}|\([^)]*\)", "#", before)
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
    tail = tail_of(written, has_level=False)
    if not tail.pattern:
        return []
    return [
        Layout(form=None, header=f"^(?:{tail.pattern})?", level=tail.level_after("^"), lines=len(written))
    ]


def with_containers(layouts: Sequence[Layout], lines: Sequence[str]) -> list[Layout]:
    """The layouts, and that of lines that have the name of their container and no time, where most have such a name."""
    found = [match.group().split()[0] for line in lines if (match := _CONTAINER.match(line))]
    named = sum(not re.fullmatch(rf"(?i:{LEVELS}|status)", name) for name in found)
    if not layouts or 2 * named <= len(lines):
        return list(layouts)
    return [*layouts, Layout(form=None, header=f"^{CONTAINER_NAME}", lines=named)]


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


def say_nothing_themselves(lines: Sequence[str], layouts: Sequence[Layout]) -> bool:
    """Whether what the lines with a time say stands in those after them: a title, a method, or the time alone comes first."""
    heads = [re.compile(layout.begins) for layout in layouts if layout.begins and not layout.is_message]
    written = [line for line in lines if line.strip()]
    found = [next((match for head in heads if (match := head.search(line))), None) for line in written]
    count = sum(match is not None for match in found)
    others = [line for line, match in zip(written, found, strict=True) if match is None and line[:1].strip()]
    if not count or found[0] is None or not count <= len(others) <= MOST_BESIDE * count:
        return False
    after = zip(found, written[1:], found[1:], strict=False)
    return all(
        other is None
        and (not re.search(r"\w", match.string[match.end() :]) or bool(_LEVEL_FIRST.match(following)))
        for match, following, other in after
        if match is not None
    )


def _shape(prefix: str) -> str:
    """The pattern of what stands before a time: words are any words, signs stay. In brackets, a word may be filled up from the left."""
    pieces = re.findall(rf"{_W}|\[[ \t]*(?=\w)|[ \t]+|.", prefix)
    places = pairwise([*pieces, ""])
    return "".join(
        _W
        if re.fullmatch(_W, piece)
        else rf"\[{_FILLED_UP}"
        if piece[0] == "[" and re.match(_W, after)
        else r"[ \t]+"
        if piece.isspace()
        else re.escape(piece)
        for piece, after in places
    )


def _is_header(shape: str, members: Sequence[tuple[str, Sequence[Found]]], *, of: int) -> bool:
    """Whether a time after that prefix dates the lines, and is not one that a message names. of: how many lines there are."""
    words = sum(_W in chunk for chunk in shape.split(r"[ \t]+"))
    if words == 0 or shape.startswith(_ANYTHING) or shape.endswith(r"\["):
        return True
    line, found = members[0]
    before = line[: found[0].start]
    if any(sure.search(before) for sure in (_TIME_FOLLOWS, BEFORE_MARK, _CELLS, _LETTER)) or _TIME_LAST.match(
        line
    ):
        return True
    if found[0].form.name == times.COMMON_LOG and _ASKED.match(line, found[0].end):
        return True
    # After one word, such as a level or the name of a container, a few lines do; a sentence names a time as well.
    return len(members) >= 2 and len(members) >= (0.05 if words == 1 else 0.3) * of


def _layout(shape: str, form: TimeForm, members: Sequence[tuple[str, Found]]) -> Layout:
    """The layout of lines that begin alike."""
    before = [line[: item.start] for line, item in members]
    # What was opened before the time ends behind it.
    quote = '"' if before[0].endswith('"') else ""
    time = ungrouped(form.pattern)
    if shape.startswith(_ANYTHING):
        return _layout_behind(shape, form, members)
    begins = f"^{shape}(?:{time})" + (f"{quote}?" if quote else "")
    rests = [line[item.end :].removeprefix(quote) for line, item in members]
    level, marked = _level_before(shape, form, before), ""
    is_marked = BEFORE_MARK.search(before[0]) and is_common([bool(re.match(MARK, text)) for text in rests])
    # A dash alone is none: others write it too.
    if is_marked and (not before[0].endswith("] ") or any(re.match(r"[ \t][*#]", text) for text in rests)):
        level, marked = Level(before=begins, word=MARK, is_mark=True), MARK
        rests = [re.sub(f"^{MARK}", "", text) for text in rests]
    tail = tail_of(rests, has_level=level is not None)
    if level is None and tail.level_at is None:
        level = _letter_before(shape, before)
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
    time = ungrouped(form.pattern)
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


def _letter_before(shape: str, prefixes: Sequence[str]) -> Level | None:
    """The letter for a level that stands alone before a time, as in `E [time]` and `<W>time`; None where none does."""
    if shape not in (
        rf"{_W}[ \t]+\[",
        rf"<{_W}>",
        rf"\[{_FILLED_UP}{_W}\]",
        rf"\[{_FILLED_UP}{_W}[ \t]+",
        rf"\[{_FILLED_UP}{_W}\][ \t]+",
    ):
        return None
    written = [re.sub(r"\W", "", prefix) for prefix in prefixes]
    return (
        Level(before="^", word="[TVDINWEFCAX]")
        if all(re.fullmatch("[TVDINWEFCAX]", item) for item in written)
        else None
    )


def _level_before(shape: str, form: TimeForm, prefixes: Sequence[str]) -> Level | None:
    """The level that stands before a time, or is a part of its form; None where none does in nearly all lines."""
    if "severity" in form.parts:
        return Level(before=f"^{shape}", word="[A-Z]")
    parts = re.compile(shape.replace(_W, f"({_W})"))
    words = [found.groups() for prefix in prefixes if (found := parts.match(prefix))]
    for place in range(shape.count(_W)):
        named = sum(bool(re.fullmatch(rf"(?i:{LEVELS})", item[place])) for item in words)
        # Of a title, as Erlang writes it, any word is a level or is none.
        if named >= NEARLY_ALL * len(words) or (place == 0 and _IS_TITLE.match(prefixes[0])):
            return Level(before="^" + _W.join(shape.split(_W)[: place + 1]), word=_W)
    return None
