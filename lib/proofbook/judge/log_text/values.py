"""A message without its values: what shows by its form, or by what stands before it, that it may be another one next time.

Tokens that hold a digit were masked where the entries lie. What is left are values of letters alone.
"""

from __future__ import annotations

import re
from functools import lru_cache

from proofbook.evidence.store import MASK
from proofbook.judge.log_text.words import PREPOSITIONS, is_state, is_telling, listed, may_be_name, tells

# One character stands for a value while a message is looked at, from a range that no text uses.
V = "\ue000"
_PIECE = re.compile(r"""[=:,;()\[\]{}"'|<>]|[^=:,;()\[\]{}"'|<>]+""")
_SIGNS, _QUOTES = frozenset("=:,;()[]{}\"'|<>"), frozenset("\"'")
_ADDRESS = re.compile(
    r"""[A-Za-z][A-Za-z0-9+.-]*://(?:\[[^\]\s]*\])?[^\s"'<>()\[\]{},;|]*[^\s"'<>()\[\]{},;|.:!?]"""
)
_QUERY = re.compile(r"""(^|["'(\[{=,;|<])/[^\s"'<>()\[\]{},;|?]*\?[^\s"'<>()\[\]{},;|]+""")
_OWNER = re.compile(rf"[A-Za-z_][\w.-]*(\((?:uid|gid|pid|tid)={V})")
_TAG = re.compile(r"(\{)[A-Za-z][\w.-]*(\}[,;.:]?)")
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")
_HEX = re.compile(r"(?:0[xX])?[a-fA-F]{8,}")
_HOST = re.compile(
    r"(?:[a-z_-]+\.)+(?:com|net|org|edu|gov|mil|int|info|biz|arpa|local|localdomain|internal|intranet|lan|home|corp|cloud|svc|test|example|invalid)"
    r"|(?:[a-z_-]+\.){2,}[a-z]{2}|[a-z_-]+\.[a-z]{2}"
)
# Endings of files and small words that look like those of a country.
_NO_COUNTRY = listed("cc cs db do go hs id is it js kt md my no or pl py rb rs sh so to ts ui")
_QUALIFIED = re.compile(r"[A-Za-z_$][\w$-]*(?:\.[\w$-]+){2,}")
_CONSTANT = re.compile(r"[A-Z][A-Z_]+")
_DOTTED = re.compile(r"[\w$-]*\.[\w$.-]*[A-Za-z]")
_QUOTED = re.compile(r"""["'][^"'=:]{1,80} [^"'=:]{1,80}["']""")
_KEY_OF_QUOTED = re.compile(r"""([\w.-]*)["']?([=:]?) ?$""")
_SPACED = re.compile(r"([\w.-]+) (==?|:=) ([A-Za-z][\w./$-]*)")
_NAMES = listed("user username login account host hostname server domain file path directory folder device")
_NAMED = re.compile(rf"(?i)(\b(?:{'|'.join(sorted(_NAMES))}): ?)([a-z][\w.-]*)($|[ ,;)\]])")
_NOUN = re.compile(
    r"(?i)(?:\b(\w+) )?\b(user|username|account|host|hostname|(?:password|publickey|login|logon) for) ([a-z_][\w.-]*)"
    r"($|[,;:)\]]| \ue000| [(\[]| (?:by|from|on|at|in|to|with|via|as|has|is|was|not|logged|signed|joined|connected|disconnected|authenticated)\b)"
)
_PARTING = (["-"], ["--"], [":"], ["|"])
# A key with none of it is the same key.
_ABSENT = listed("null none nil None undefined")
_MONTHS = listed(
    "Jan Feb Mar Apr May Jun Jul Aug Sep Sept Oct Nov Dec January February March April June July August September October November December"
)
_DAYS = listed(
    "Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
)
_ZONES = listed("UTC GMT CET CEST EET EEST MSK IST JST EST EDT CST CDT MST MDT PST PDT AM PM am pm")
_UNITS = listed(
    "B kB KB MB GB TB PB KiB MiB GiB TiB kb mb gb byte bytes Byte Bytes bit bits Kbit Mbit Gbit KB/s MB/s GB/s MiB/s kbps Mbps Gbps bps "
    "ns us µs ms s sec secs second seconds min mins minute minutes h hr hrs hour hours day days week weeks millis milliseconds microseconds "
    "nanoseconds % percent Hz kHz MHz GHz"
)
_ANY_MONTH, _ANY_DAY = "|".join(sorted(_MONTHS)), "|".join(sorted(_DAYS))
_DATE = re.compile(
    rf"{V},? (?:{_ANY_MONTH}|{'|'.join(sorted(_ZONES))})\b|\b(?:(?:{_ANY_DAY}),? )?(?:{_ANY_MONTH})[ -]{V}|\b(?:{_ANY_DAY}),? {V}"
    r"|\b(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|April|June|July|August|September|October|November|December)\b"
)
_UNIT = re.compile(rf"{V} ?(?:{'|'.join(re.escape(unit) for unit in sorted(_UNITS))})($|[^\w/%])")
_MANY = re.compile(rf"{V}(?: ?[,:;/.|+x~-]? ?{V})+")
_END = re.compile(rf"{V}[.!?]+($| )")
_AGAIN = re.compile(rf"{V} ?(?:\( ?{V}? ?\)|\[ ?{V}? ?\]|\{{ ?{V}? ?\}}|< ?{V}? ?>)")
_ABOUT = re.compile(rf"(^|[ (=:,])[<>~]{V}")
_SIX = re.compile(rf"\b[a-fA-F]{{2}}(?::(?:[a-fA-F]{{2}}|{V})){{5}}")
_HEX_BEHIND = re.compile(rf"{V}(?:::?(?:[a-fA-F]{{1,4}}|{V}))+($|[^\w])")
_HOSTS = re.compile(rf"\b\w[\w.]*-[A-Za-z]?\[{V}\]")
_LISTS = re.compile(rf"([\[{{]) ?((?:{V}|[\w.$*-]+)(?:, ?(?:{V}|[\w.$*-]+))+) ?([\]}}])")
LONGEST_REPEAT = 6


# What words of a message call for a look at more than one of them: as bits, since the standard library's flags take ten times as long.
_HAS_CALENDAR, _HAS_UNIT, _HAS_SIGN, _HAS_NOUN, _HAS_NAME, _HAS_BRACKET, _HAS_ABOUT = (
    1 << n for n in range(7)
)
_ANYTHING = (1 << 7) - 1
_CALENDAR = _MONTHS | _DAYS | _ZONES
_CALLED = listed("user username account host hostname password publickey login logon")


def without_values(text: str) -> str:
    """The message with MASK for each of its values, the same for the same message with other ones.

    >>> without_values("session opened for user ann by root@db, files /etc/a /etc/b")
    'session opened for user <*> by <*>, files <*>'
    >>> without_values("startup failed"), without_values("state=open tag=blue")
    ('startup failed', 'state=open tag=<*>')
    """
    said = text.replace(MASK, V)
    if '"' in said or "'" in said:
        said = _QUOTED.sub(_quoted, said)
    words = said.split()
    # What parts a message from a header that others of its log have not.
    said, holds = _by_words(words[1:] if words[:1] in _PARTING else words)
    if holds & _HAS_SIGN:
        said = _SPACED.sub(_spaced, said)
    if holds & _HAS_NOUN:
        said = _NOUN.sub(_called, said)
    if holds & _HAS_NAME:
        said = _NAMED.sub(_named, said)
    return shortened(said, holds=holds).replace(V, MASK)


def shortened(said: str, *, holds: int = _ANYTHING) -> str:
    """Values that stand together as one: dates, amounts with their unit, lists, and what is said once more in brackets."""
    if holds & _HAS_BRACKET:
        said = _LISTS.sub(_list, said)
    if holds & _HAS_CALENDAR:
        said = _DATE.sub(V, said)
    before = ""
    while V in said and said != before:
        before = said
        if holds & _HAS_CALENDAR:
            said = _DATE.sub(V, said)
        if holds & _HAS_UNIT:
            said = _UNIT.sub(rf"{V}\1", said)
        if holds & _HAS_BRACKET:
            said = _AGAIN.sub(V, said)
            if f"[{V}]" in said:
                said = _HOSTS.sub(V, said)
        if holds & _HAS_ABOUT:
            said = _ABOUT.sub(rf"\1{V}", said)
        if ":" in said:
            said = _SIX.sub(V, said)
            said = _HEX_BEHIND.sub(rf"{V}\1", said)
        said = _END.sub(rf"{V}\1", said)
        said = _MANY.sub(V, said)
        if said.count(V) > 1:
            said = _once(said)
    return said


def _by_words(words: list[str]) -> tuple[str, int]:
    """The words without their values, and what they hold (as bits)."""
    found, last = [], len(words) - 1
    context, holds = "^", 0
    for place, word in enumerate(words):
        done, announces, flags = _alone(word)
        holds |= flags
        if context:
            done = _word(word, context)
        if done[-1] == "=" and _is_empty(done, words[place + 1] if place < last else ""):
            done += V
        found.append(done)
        context = announces
    return " ".join(found), holds


@lru_cache(maxsize=1 << 16)
def _alone(word: str) -> tuple[str, str, int]:
    """A word without its values where nothing before it says what it is, itself if it says so of the next, and what it holds (as bits)."""
    bare = word.strip("\"'([{<>}]),;.:")
    holds = 0
    for flag, is_held in (
        (_HAS_CALENDAR, bare in _CALENDAR),
        (_HAS_UNIT, bare in _UNITS),
        (_HAS_SIGN, word in {"=", ":=", "=="}),
        (_HAS_NOUN, bare.lower() in _CALLED),
        (_HAS_NAME, any(f"{name}:" in word.lower() for name in _NAMES)),
        (_HAS_BRACKET, any(sign in word for sign in "([{<")),
        (_HAS_ABOUT, any(sign in word for sign in "<>~")),
    ):
        holds |= flag if is_held else 0
    announces = word if (len(word) > 1 and word.endswith(("=", '":', "':"))) or tells(word) else ""
    return _word(word, ""), announces, holds


def _is_empty(word: str, behind: str) -> bool:
    """Whether nothing stands where the value of a key would: the next word has a key of its own."""
    key = word[:-1]
    return (
        bool(key)
        and (key[-1].isalnum())
        and (not behind or "=" in behind)
        and not is_telling(_PIECE.findall(key)[-1])
    )


@lru_cache(maxsize=1 << 17)
def _word(word: str, context: str) -> str:
    """A word of a message, between spaces, without its values. context: the word before, where it says what this one is; "^" at the beginning."""
    if word.isalpha() and not (context.endswith("=") or len(word) >= 8):
        return word
    pieces = _PIECE.findall(_without_addresses(word, context))
    found: list[str] = []
    key = _key_before(context)
    for place, piece in enumerate(pieces):
        if piece in _SIGNS:
            if piece in ",;)]}" and found[-1:] == ["="] and key and not is_telling(key):
                found.append(V)
            key = _key_from(pieces, place, key)
            found.append(piece)
        elif piece == V or _is_key(pieces, place):
            found.append(piece)
        elif key:
            found.append(piece if is_telling(key) or (is_state(piece) and piece not in _ABSENT) else V)
        else:
            _add(found, piece, behind="".join(pieces[place + 1 : place + 2]), context=context)
    return "".join(found)


def _without_addresses(word: str, context: str) -> str:
    """A word without the values that hold signs themselves."""
    if "://" in word:
        word = _ADDRESS.sub(V, word)
    if f"id={V}" in word:
        word = _OWNER.sub(rf"{V}\1", word)
    if "?" in word:
        word = _QUERY.sub(rf"\1{V}", word)
    if word.count(":") > 4 or word.count("-") > 4:
        word = _MAC.sub(V, word)
    if word[0] == "{" and context != "^" and _TAG.fullmatch(word) and not is_state(word.strip("{},;.:")):
        word = _TAG.sub(rf"\1{V}\2", word)
    return word


def _is_key(pieces: list[str], place: int) -> bool:
    """Whether a value stands behind this piece: KEY= or "KEY":."""
    behind = pieces[place + 1 : place + 3]
    in_quotes = place > 0 and pieces[place - 1] in _QUOTES
    return behind[:1] == ["="] or (in_quotes and behind == [pieces[place - 1], ":"])


def _key_from(pieces: list[str], place: int, key: str) -> str:
    """The key of what stands behind the sign in this place."""
    sign = pieces[place]
    if sign == "=" or (sign == ":" and place > 1 and pieces[place - 1] in _QUOTES):
        return next(
            (piece for piece in reversed(pieces[max(0, place - 3) : place]) if piece not in _QUOTES), ""
        )
    ends = sign in ")]}>" or (sign in _QUOTES and place > 0 and pieces[place - 1] not in _SIGNS)
    if ends or (sign in ",;" and "=" in pieces[place + 1 : place + 3]):
        return ""
    return key


def _key_before(context: str) -> str:
    if context.endswith(("=", '":', "':")):
        pieces = [piece for piece in _PIECE.findall(context) if len(piece) > 1 or piece.isalpha()]
        return pieces[-1] if pieces else ""
    return ""


def _add(found: list[str], piece: str, *, behind: str, context: str) -> None:
    core = piece.rstrip(".!?*")
    before = found[-1] if found else ""
    if core.startswith("\\") and before == ":" and len(found) > 1 and len(found[-2]) == 1:
        # A drive belongs to the path.
        found[-2:] = []
        found.append(V + piece[len(core) :])
    elif _is_value(core, before=before, behind=behind, context=context):
        found.append(V + piece[len(core) :])
    else:
        found.append(piece)


def _is_value(core: str, *, before: str, behind: str, context: str) -> bool:
    if before in _QUOTES and before == behind:
        return not (context and is_telling(context.strip("\"':="))) and not is_state(core)
    if "/" in core:
        return before != "<" and _is_path(core)
    if "@" in core:
        return 0 < core.find("@") < len(core) - 1
    if "." in core:
        return _is_host(core) or _is_qualified(core, behind=behind, context=context)
    return core == "localhost" or bool(_HEX.fullmatch(core)) or core.startswith("\\\\")


def _is_path(core: str) -> bool:
    if core.startswith(("/", "~/", "./", "../")):
        return any(char.isalnum() or char == V for char in core)
    parts = core.split("/")
    return any(_DOTTED.fullmatch(part) for part in parts) or (len(parts) > 2 and V in core)


def _is_host(core: str) -> bool:
    return bool(_HOST.fullmatch(core)) and core.rsplit(".", 1)[1] not in _NO_COUNTRY


def _is_qualified(core: str, *, behind: str, context: str) -> bool:
    """Whether this is the dotted name of a thing: no call, no constant, nothing that is raised or says what went wrong."""
    if context or behind == "(" or not _QUALIFIED.fullmatch(core):
        return False
    last = core.rsplit(".", 1)[1]
    return not (_CONSTANT.fullmatch(last) or any(is_state(part) for part in core.split(".")))


def _quoted(match: re.Match[str]) -> str:
    quoted = match[0]
    quote, inside = quoted[0], quoted[1:-1]
    before = _KEY_OF_QUOTED.search(match.string[max(0, match.start() - 60) : match.start()])
    key, sign = before.groups() if before else ("", "")
    if quote != quoted[-1] or is_telling(key):
        return quoted
    names = all(word == V or (word[0].isupper() and may_be_name(word)) for word in inside.split())
    return f"{quote}{V}{quote}" if names or (sign == "=" and key) else quoted


def _spaced(match: re.Match[str]) -> str:
    key, sign, value = match.groups()
    return match[0] if is_telling(key) or is_state(value) else f"{key} {sign} {V}"


def _named(match: re.Match[str]) -> str:
    key, value, behind = match.groups()
    return f"{key}{V}{behind}" if may_be_name(value) else match[0]


def _called(match: re.Match[str]) -> str:
    before, noun, name, behind = match.groups()
    of_an_object = (before or "").lower() in PREPOSITIONS | {
        "invalid",
        "illegal",
        "unknown",
    } or noun.endswith("for")
    # Only people and hosts do these; so even a name that ends as a verb may is one.
    does = behind.strip() in {"logged", "signed", "joined", "connected", "disconnected", "authenticated"}
    followed = behind.strip() in {"by", "from", "on", "at", "via"} or V in behind
    if not may_be_name(name, strictly=not (of_an_object or does)) or not (of_an_object or does or followed):
        return match[0]
    return f"{before} {noun} {V}{behind}" if before else f"{noun} {V}{behind}"


def _list(match: re.Match[str]) -> str:
    opening, inside, closing = match.groups()
    # What a message begins with is who speaks.
    before = match.string[: match.start()].split()
    kept = not before or tells(before[-1]) or any(is_state(part.strip()) for part in inside.split(","))
    return match[0] if kept else f"{opening}{V}{closing}"


def _once(said: str) -> str:
    """What is said again and again with nothing but other values, once."""
    words = said.split(" ")
    bare = [word.rstrip(",;") for word in words]
    valued = [place for place, word in enumerate(bare) if V in word]
    place = 0
    while place < len(valued):
        size = next(
            (size for size in range(1, LONGEST_REPEAT + 1) if _is_repeated(bare, valued[place], size)), 0
        )
        if not size:
            place += 1
            continue
        # The last one stays: behind it stands what comes after the list.
        start = _start_of_repeat(bare, valued[place], size)
        del words[start : start + size], bare[start : start + size]
        valued = [number for number, word in enumerate(bare) if V in word]
        place = max(0, place - 1)
    return " ".join(words)


def _is_repeated(words: list[str], place: int, size: int) -> bool:
    """Whether the word in this place belongs to words that stand there twice in a row."""
    return (
        place + size < len(words)
        and words[place] == words[place + size]
        and _start_of_repeat(words, place, size) >= 0
    )


def _start_of_repeat(words: list[str], place: int, size: int) -> int:
    for start in range(max(0, place - size + 1), place + 1):
        if words[start : start + size] == words[start + size : start + 2 * size]:
            return start
    return -1
