"""Traces of Java, Node and .NET: a header, then frames that begin with `at`, innermost first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from proofbook.judge.log_text.frames import Frame, Raised, raised

_TYPE = r"[A-Za-z_$][\w.$+]*(?:Error|Exception|Throwable|Exit|Interrupt|Fault|Warning|Timeout|Refused|Denied|Failure)\w*(?:`\d+)?"
_AT = re.compile(r"^\s*at (?:async )?(?:new )?(\S.*?)(?: \{|<---)?$")
# A header with a type that is known by its end; in brackets a code or a package.
_HEADER = re.compile(rf"(?<![\w.$+/-])({_TYPE})(?: ?[\[(][^\])]*[\])])?(?:: ?(.*))?$")
# A header with any other type.
_NAMED = re.compile(r"^([a-z][\w$]*(?:\.[\w$]+)*\.[A-Z][\w$]*|[A-Z][\w$]*)(?:: (.*))?$")
_BEFORE = re.compile(
    r"^\s*(?:(Caused by|Wrapped by|Suppressed|\[cause\]): |(--->) (?:\(Inner Exception #\d+\) )?|Exception in thread \"[^\"]*\" |Unhandled exception\. |Uncaught )"
)
_PASSED_OVER = re.compile(
    r"^\s*(?:\.\.\. \d+ |--- End of stack trace from |[\]})^]|\w+: .*,$|\[errors\]: \[)"
)
_NEVER = ("java.lang.Thread.State", "Trace")
_JAVA_PLACE = re.compile(r"[^()]*\.(?:java|kts?|scala|groovy|cljc?)(?::(?:\d+|#|-\d))?|Native Method|Unknown Source|<generated>|SourceFile(?::.*)?")  # fmt: skip
_JAVA = re.compile(r"^([^\s()]+)\(([^()]*)\)(?:\s*~?\[.*)?$")
# The module, the loader of classes, or both.
_MODULE = re.compile(r"^(?:[\w.-]*(?:@[\w.-]*)?/)+(?=[a-zA-Z])")
_COLUMN = re.compile(r":(?:\d+|#):(?:\d+|#)\)?$")
_FILE = re.compile(r"^\S*[/\\.]|^node:")
_DOTNET = re.compile(r"^([\w.<>`+\[\],|$&-]+)\s?\(.*\)$")
# What the compiler makes of asynchronous and anonymous functions.
_STATE_MACHINE = re.compile(
    r"(?:<>c(?:__DisplayClass[\w`]*)?\.)?<+([\w.]+)>+[a-z]?(?:__[\w|]*)?(?:[>\w]*)(?:\.MoveNext$)?"
)


@dataclass(slots=True, kw_only=True)
class _Item:
    """An exception while its frames are read. link: what binds it to the one before it."""

    type: str
    message: str
    link: str
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    type: str
    message: str
    link: str
    sure: bool
    indent: int


def is_one(line: str) -> bool:
    """Whether a line may be a frame, or names an exception that nobody caught."""
    return bool(_AT.match(line)) or _is_uncaught(line)


def read(lines: Sequence[str]) -> tuple[str, list[Raised]]:
    """The language, and the exceptions, causes first."""
    language, skipped_from = "", -1
    # What came first got out; of .NET's, frames of an outer exception come after those of the inner ones.
    items: list[_Item] = []
    inner: list[_Item] = []
    pending: list[str] = []
    for line in lines:
        match = _AT.match(line)
        found = _frame(match[1]) if match else None
        if found is None:
            if "--- End of inner exception stack trace ---" in line:
                if len(inner) > 1:
                    inner.pop()
                pending = []
            elif line.strip() and not _PASSED_OVER.match(line):
                pending.append(line)
            continue
        frame, kind, is_sure = found
        if pending or not items:
            headers = _headers(pending, is_first=not items, sure_frames=is_sure)
            pending = []
            for header in headers:
                if header.link == "Suppressed":
                    skipped_from = header.indent
                    break
                if skipped_from >= 0 and header.indent >= skipped_from:
                    break
                skipped_from = -1
                item = _Item(type=header.type, message=header.message, link=header.link)
                items.append(item)
                inner = [*inner, item] if header.link == "--->" else [item]
        if skipped_from < 0 and inner:
            language = language or kind
            inner[-1].frames.append(frame)
    if not items:
        # No frame was written.
        alone = [_header(line, sure_frames=True) for line in pending if _is_uncaught(line)][:1]
        items = [_Item(type=said.type, message=said.message, link="") for said in alone if said]
    return language or "java", _in_order(items)


def _is_uncaught(line: str) -> bool:
    return bool(re.match(r"^\s*Exception in thread \"|^Unhandled exception\. ", line))


def _in_order(items: Sequence[_Item]) -> list[Raised]:
    chain = [raised(item.type, item.message, item.frames[::-1]) for item in items]
    return chain if any(item.link == "Wrapped by" for item in items) else chain[::-1]


def _headers(pending: Iterable[str], *, is_first: bool, sure_frames: bool) -> list[_Header]:
    """The headers in the lines before a frame: more than one where .NET names all of a chain first."""
    found: list[_Header] = []
    lines = [part for line in pending for part in _split_arrows(line)]
    for line in lines:
        header = _header(line, sure_frames=sure_frames)
        if header is None:
            continue
        if header.link == "--->":
            found.append(header)
        elif not found or header.sure or not found[-1].sure:
            # Of what stands before the frames, the last line that names a type by its beginning.
            found = [header]
    if not found and is_first and sure_frames:
        last = lines[-1].strip() if lines else ""
        if not last.startswith(_NEVER):
            return [_Header(type="error", message=last, link="", sure=False, indent=0)]
    return found


def _split_arrows(line: str) -> list[str]:
    """A line of which the rest after each ` ---> ` is an inner exception."""
    first, *others = re.split(r"(?<=\S) ---> ", line)
    return [first, *(f"---> {part}" for part in others)]


def _header(line: str, *, sure_frames: bool) -> _Header | None:
    """The exception that a line names; None of a line that names none."""
    before = _BEFORE.match(line)
    link = (before[1] or before[2] or "").strip("[]") if before else ""
    rest = line[before.end() :] if before else line
    indent = len(line) - len(line.lstrip())
    if found := _HEADER.search(rest):
        kind, message, sure = found[1], found[2], not rest[: found.start()].strip()
    elif (link or sure_frames) and (found := _NAMED.match(rest.strip())) and found[1] not in _NEVER:
        kind, message, sure = found[1], found[2], bool(link)
    else:
        return None
    return _Header(type=kind, message=(message or "").strip(), link=link, sure=sure, indent=indent)


def _frame(text: str) -> tuple[Frame, str, bool] | None:
    """A frame, its language, and whether nothing but a frame looks like it; None of other text."""
    if " in " in text and (":line " in text or ")" in text.split(" in ")[0]):
        function, _, place = text.partition(" in ")
        file = re.sub(r":line \S+$", "", place).replace("\\", "/")
        return (
            Frame(function=_dotnet_name(function.partition("(")[0]), place=file),
            "dotnet",
            ":line " in text,
        )
    if (match := _JAVA.match(text)) and _JAVA_PLACE.fullmatch(match[2]):
        function = _MODULE.sub("", match[1])
        return Frame(function=function, place=function.rpartition(".")[0]), "java", True
    if (match := _COLUMN.search(text)) and (" (" in text or _FILE.search(text)):
        return _node_frame(text[: match.start()]), "node", True
    if text.startswith("<anonymous>") or re.search(r" \((?:<anonymous>|native|index \d+)\)$", text):
        return Frame(function=text.partition(" (")[0], place="<anonymous>", library=True), "node", True
    if match := _DOTNET.match(text):
        function = _dotnet_name(match[1])
        return Frame(function=function, place=function.rpartition(".")[0]), "dotnet", False
    return None


def _node_frame(text: str) -> Frame:
    function, paren, place = text.partition(" (")
    if not paren:
        function, place = "<anonymous>", text.lstrip("(")
    function = re.sub(r" \[as [^\]]*\]$", "", function)
    file = re.sub(r"^(?:file://|webpack://[\w-]*/(?:\./)?|https?://[^/]+)|[?#].*$", "", place)
    return Frame(function=function.strip() or "<anonymous>", place=file.replace("\\", "/"))


def _dotnet_name(function: str) -> str:
    """The name of the function as it was written.

    >>> _dotnet_name("Shop.Orders.<Place>d__5.MoveNext"), _dotnet_name("Shop.Orders.<>c__DisplayClass5_0.<Place>b__0")
    ('Shop.Orders.Place', 'Shop.Orders.Place')
    """
    name = re.sub(r"`\d+|\[[^\[\]]*\]", "", function.strip())
    return _STATE_MACHINE.sub(r"\1", name) if "<" in name else name
