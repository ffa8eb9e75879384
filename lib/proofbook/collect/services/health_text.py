"""What a health page says that is no JSON: in words, in lines, in XML, or in a page for people."""

from __future__ import annotations

import html
import re

from proofbook.collect.services.health_words import (
    KEYS,
    Said,
    Word,
    first_bad_mark,
    is_bad_of_a_part,
    meaning,
)

_LINE = re.compile(rf"^\W*({'|'.join(KEYS)})\W*[:=]\s*[\"']?([\w -]+)", re.IGNORECASE)
# A part and its word, in one of several lines.
_PART_LINE = re.compile(
    r"^\W*([\w .()/-]{1,60}?)(?:\s*[:=|]\s*|\s*\.{2,}\s*|\s+-\s+|\s+)[\[(\"']?([A-Za-z_-]{2,20})[\])\"'.!]?\s*$"
)
_MOST_LINES = 100
# A sentence that says how something is: `The server is ready.`
_SENTENCE = re.compile(
    r"^\w[\w .'-]{0,60}? (?:is|are) (?:(?:now|currently|still) )?([\w' ,-]{2,60})(?:$|[.!:;(])", re.IGNORECASE
)
# Words that say how something is, and may begin a sentence that does not: `No maintenance is scheduled`.
_BEGINS_A_SENTENCE = re.compile(
    r"(?:no|yes|maintenance|major|minor|well|live|lost|bad|good) [a-z]", re.IGNORECASE
)
_ELEMENT = re.compile(r"<(?:\w+:)?(status|state|health|healthy)\b[^>]*>\s*([^<>]{1,60}?)\s*</", re.IGNORECASE)
# Of any element.
_ANY_ATTRIBUTE = re.compile(
    rf"\s({'|'.join(KEYS)})\s*=\s*[\"']([^\"'<>]{{1,40}})[\"'](?=[^<>]*>)", re.IGNORECASE
)
# Of the outermost element.
_ATTRIBUTE = re.compile(
    r"\s*(?:<\?[^>]*>\s*)?<[\w:]+\s[^>]*?\b(status|state|health)\s*=\s*[\"']([^\"'<>]{1,40})[\"']",
    re.IGNORECASE,
)
_LONGEST_LINE = 200
# Each check of a Kubernetes component with its outcome, and what the last line of such a page says.
_CHECK = re.compile(r"^\[([+-])\]\S.*$", re.MULTILINE)
_CHECKED = re.compile(r"^\S+ check (passed|failed)$", re.MULTILINE)
# Of several words of one sentence.
_WORST_FIRST = (Word.ILL, Word.HALF, Word.WELL)


# A line of `name: value` or `name = value`, perhaps beneath another.
_PAIR = re.compile(r"^(\s*(?:- *)?)[\"']?([A-Za-z][\w .()/-]{0,60}?)[\"']?\s*[:=](?:\s+|$|(?<==))(.*)$")
_SECTION = re.compile(r"^\[+([\w .-]+)\]+\s*$")
_NO_PAIR = re.compile(r"^\s*(?:[#;].*|---|\.\.\.)?$")
_MOST_TEXT = 20_000
# So many columns, most of which are numbers, make a table without lines between.
_LEAST_COLUMNS = 6
_HEADING = re.compile(r"<(title|h[1-3])\b[^>]*>(.{0,300}?)</\1", re.IGNORECASE | re.DOTALL)
_OF_HEALTH = re.compile(r"\b(?:status|health|checks?|monitor(?:ing)?|uptime)\b", re.IGNORECASE)
_NAMED_WORD = re.compile(
    r"\W*(?:[\w .-]{1,40}\s)?(?:status|state|health)\s*[:=–-]\s*(\w[\w -]{1,30}?)\W*$", re.IGNORECASE
)
_CELL = re.compile(r"<(td|dd)\b[^>]*>(.{0,200}?)</\1", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
# A service that says in a sentence that it is not there for its users now, and none that tells of another time.
_AWAY = re.compile(
    r"\b(?:in|under|undergoing|down for|offline for|performing|doing) (?:\w+ ){0,2}maintenance\b|\bmaintenance (?:mode|in progress|is (?:under way|ongoing))"
    r"|\b(?:temporarily|currently) (?:\w+ )?(?:unavailable|offline|out of service|down|closed|disabled|not available)"
    r"|\b(?:is|are|was|has been) (?:temporarily |currently )?(?:not available|unavailable|offline|out of service|suspended|not (?:currently )?serving)"
    r"|\bnot (?:currently )?(?:serving|accepting|available|running|responding)\b"
    r"|\b(?:try|come|check) (?:again|back) (?:later|soon|shortly|in (?:a |\d))|\bback (?:soon|shortly)\b"
    r"|\b(?:error|problem|trouble) (?:establishing|connecting|communicating)\b|\b(?:could not|cannot|can't|unable to|failed to) (?:connect|reach|establish|open)\b"
    r"|\bno (?:healthy |available |live )?(?:upstreams?|backends?|servers?|workers?)\b(?: (?:are )?available)?",
    re.IGNORECASE,
)
_OF_ANOTHER_TIME = re.compile(
    r"\b(?:no|not in|without|after|until|before|next|upcoming|last|previous|will|since|if|when|how|why|what)\b(?! longer)"
    r"|\bon (?:mon|tues|wednes|thurs|fri|satur|sun)day|\bfrom \d|\bat \d",
    re.IGNORECASE,
)
_NO_BACKEND = re.compile(r"\bno (?:healthy|available|live|upstream|backend|server|worker)", re.IGNORECASE)


def says_away(text: str) -> bool:
    """Whether a sentence says that a service is not there for its users now.

    >>> says_away("Service is in maintenance mode"), says_away("Maintenance will be on Sunday"), says_away("no healthy upstream")
    (True, False, True)
    """
    if len(text) > _LONGEST_LINE or _AWAY.search(text) is None:
        return False
    return _NO_BACKEND.search(text) is not None or _OF_ANOTHER_TIME.search(text) is None


def of_page(text: str) -> Said | None:
    """What the headings of a page for people say, and the cells of one about health; None where that is nothing ill."""
    text = text[:_MOST_TEXT]
    headings = [_plain(found[2]) for found in _HEADING.finditer(text)]
    for heading in headings:
        named = _NAMED_WORD.match(heading)
        if says_away(heading) or (named and meaning(named[1]) in (Word.ILL, Word.HALF)):
            return Said(word=Word.HALF, path="", value=heading)
    if any(_OF_HEALTH.search(heading) for heading in headings):
        cells = (_plain(found[2]) for found in _CELL.finditer(text))
        if ill := next((cell for cell in cells if is_bad_of_a_part(cell)), ""):
            return Said(word=Word.HALF, path="", value=ill)
    return None


def _plain(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())


def pairs(text: str) -> dict[str, object]:
    """A text of `name: value` lines, of YAML or an INI file, as an object with one level beneath; empty where it is something else.

    >>> pairs("service: chat\\nparts:\\n  db: DOWN")
    {'service': 'chat', 'parts': {'db': 'DOWN'}}
    """
    found: dict[str, object] = {}
    beneath: dict[str, object] = {}
    lines = text[:_MOST_TEXT].splitlines()
    for number, line in enumerate(lines if 2 <= len(lines) <= _MOST_LINES else []):
        if _NO_PAIR.match(line):
            continue
        if (section := _SECTION.match(line)) is not None:
            found[section[1]] = beneath = {}
            continue
        pair = _PAIR.match(line)
        if pair is None:
            return {}
        before, name, written = pair[1], pair[2], pair[3].strip().strip("\"'")
        value: object = {"true": True, "false": False}.get(written.lower(), written)
        if "-" in before:
            # Each item of a list is one more.
            found[f"item {number}"] = beneath = {}
        if before or any(_SECTION.match(other) for other in lines[:number]):
            beneath[name] = value
        elif written:
            found[name] = value
        else:
            found[name] = beneath = {}
    return found


def of_text(text: str) -> Said | None:
    """Of plain text the first line speaks, by its first words; of a longer one nothing is known but what is ill in a list of parts."""
    if "\n" in text.strip() and (ill := first_bad_mark(text[:_MOST_TEXT])):
        return Said(word=Word.HALF, path="", value=ill)
    said = _of_first_line(text)
    if said is not None:
        return said
    if ill := _of_table(text[:_MOST_TEXT]):
        return Said(word=Word.HALF, path="", value=ill)
    first = text.strip().split("\n", 1)[0].strip()
    return Said(word=Word.HALF, path="", value=first) if says_away(first) else None


def _of_table(text: str) -> str:
    """The first row of a table that says that something is ill; empty where there is none, or no table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in "\t;,|":
        counts = {line.count(mark) for line in lines}
        if len(lines) > 1 and len(counts) == 1 and counts != {0}:
            return next((line for line in lines if any(is_bad_of_a_part(cell) for cell in line.split(mark))), "")  # fmt: skip
    for line in lines[:_MOST_LINES]:
        cells = line.split()
        numbers = sum(cell[0].isdigit() for cell in cells)
        is_row = len(cells) >= _LEAST_COLUMNS and 2 * numbers > len(cells)
        if is_row and any(is_bad_of_a_part(cell) or cell == "red" for cell in cells):
            return line
    return ""


def _of_xml(text: str) -> Said | None:
    """What the first element or attribute that speaks of a state says; what is ill further down makes it half-well."""
    first = _ELEMENT.search(text) or _ATTRIBUTE.match(text)
    others = [*_ELEMENT.finditer(text), *_ANY_ATTRIBUTE.finditer(text)]
    word = meaning(first[2]) if first is not None else Word.UNKNOWN
    ill = next((found for found in others if meaning(found[2]) is Word.ILL), None)
    if first is not None and (ill is None or word is Word.ILL):
        return Said(word=word, path="", value=f"{first[1]} = {first[2]}")
    return Said(word=Word.HALF, path="", value=f"{ill[1]} = {ill[2]}") if ill is not None else None


def _of_first_line(text: str) -> Said | None:
    """What the first line says by its first words, or the last one of a list of checks, or the whole of a list of parts."""
    checked = _CHECKED.search(text)
    if checked is not None:
        failed = next((line[0] for line in _CHECK.finditer(text) if line[1] == "-"), "")
        is_well = checked[1] == "passed" and not failed
        return Said(word=Word.WELL if is_well else Word.ILL, path="", value=failed or checked[0])
    if text.lstrip().startswith("<"):
        return _of_xml(text[:_MOST_TEXT])
    line = text.strip().split("\n", 1)[0].strip()
    if not line or len(line) > _LONGEST_LINE:
        return None
    listed = _of_list(text)
    if listed is not None:
        return listed
    named = _LINE.match(line)
    if named is not None and (word := meaning(named[2])) is not Word.UNKNOWN:
        return Said(word=word, path="", value=line)
    whole = meaning(line)
    if whole is Word.UNKNOWN:
        # "Unhealthy: no database", "DOWN (db)".
        first = re.split(r"[^\w' -]| - |\s(?!ok|ready|healthy|serving)", line, maxsplit=1)[0]
        whole = Word.UNKNOWN if _BEGINS_A_SENTENCE.match(line) else meaning(first)
    if whole is Word.UNKNOWN:
        whole = _of_sentence(line)
    return None if whole is Word.UNKNOWN else Said(word=whole, path="", value=line)


def _of_list(text: str) -> Said | None:
    """What a list of parts with a word each says, such as `db: ok` and `redis: FAIL`; None where it is no such list, or none of them is ill."""
    parts = [part for part in re.split(r"[\n;,|]", text) if part.strip()]
    named = [_PART_LINE.match(part) for part in parts[:_MOST_LINES]]
    words = [meaning(part[2]) if part else Word.UNKNOWN for part in named]
    if len(parts) < 2 or len(parts) > _MOST_LINES or Word.UNKNOWN in words:
        return None
    first = next((part for part, word in zip(parts, words, strict=True) if word is Word.ILL), None)
    return Said(word=Word.HALF, path="", value=first.strip()) if first is not None else None


def _of_sentence(line: str) -> Word:
    """What a sentence says of its subject; nothing is known where a part of it is no word of health.

    >>> _of_sentence("The server is up and running."), _of_sentence("This is fine art")
    (<Word.WELL: 'well'>, <Word.UNKNOWN: 'unknown'>)
    """
    said = _SENTENCE.match(line)
    if said is None:
        return Word.UNKNOWN
    # "not yet ready" is no other than "not ready".
    whole = re.sub(r"^(not|no longer) (?:yet |currently |fully )?", "not ", said[1].lower())
    words = {meaning(part) for part in re.split(r",? and |, ?", whole)}
    return next((word for word in (Word.UNKNOWN, *_WORST_FIRST) if word in words), Word.UNKNOWN)
