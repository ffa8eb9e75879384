"""Message templates: what many messages have in common once their values are left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from proofbook.evidence.store import MASK
from proofbook.judge.log_text.values import V, shortened, without_values
from proofbook.judge.log_text.words import NOUNS, PREPOSITIONS, is_state, may_be_name, tells, tells_of_state

# How many different words in one place, all else being equal, make it a place for values.
AFTER_A_NOUN = 3
OF_AN_OBJECT = 5
ANYWHERE = 12
AT_THE_BEGINNING = 25
_WORDS = re.compile(r"([^\w.$@*\ue000-]+)")
_ADDRESS = re.compile(rf"(?:^|[ (=@])([A-Za-z][\w.-]*):{V}")
_COUNTED = re.compile(rf"{V} ([a-z]{{2,}})\b")
_SPEAKER = re.compile(r"([A-Za-z][\w.-]*) --? ")
_DOTTED = re.compile(r"\w+(?:\.[\w-]+){2,}")
_SHAPED = re.compile(r"[A-Za-z]|[a-z]+[A-Z]\w*|\w+[_.-][\w.-]*|[A-Z]\w*[a-z]\w*[A-Z]\w*")


def merge(texts: Iterable[str]) -> dict[str, str]:
    """For each text (values that hold digits masked already) the template it belongs to.

    First every text loses what shows by itself that it is a value. Then texts that differ in one place alone are compared:
    names of which enough stand there are values too. The result depends on the set of texts alone, not on their order.

    >>> said = [f"mail to {name} bounced" for name in ("ann", "bob", "cid", "dan", "eve")]
    >>> set(merge([*said, "mail to ann delayed"]).values()) == {"mail to <*> bounced", "mail to ann delayed"}
    True
    """
    plain = {text: without_values(text).replace(MASK, V) for text in texts}
    known: dict[int, dict[str, list[str]]] = defaultdict(dict)
    became: dict[str, str] = {}
    new = set(plain.values())
    while new:
        split = {text: _WORDS.split(text) for text in sorted(new)}
        for text, words in split.items():
            known[len(words)][text] = words
        touched = sorted({len(words) for words in split.values()})
        changed = (
            _addresses(known)
            | _speakers(known)
            | _one_of_many(known)
            | {text: to for length in touched for text, to in _masked(known[length]).items()}
        )
        for length in known.values():
            for text in changed.keys() & length.keys():
                del length[text]
        became |= changed
        new = {text for text in changed.values() if not any(text in length for length in known.values())}
    return {text: _last(said, became).replace(V, MASK) for text, said in plain.items()}


def _last(said: str, became: dict[str, str]) -> str:
    while said in became:
        said = became[said]
    return said


def _addresses(known: dict[int, dict[str, list[str]]]) -> dict[str, str]:
    """The texts in which a name with a number ("db:<*>") stands where others have nothing but a value, with these."""
    found: dict[str, str] = {}
    for text in sorted(text for length in known.values() for text in length if f":{V}" in text):
        for match in _ADDRESS.finditer(text):
            start, end = match.span(1)
            if may_be_name(match[1]) and not tells(match[1]):
                other = shortened(text[:start] + text[end + 1 :])
                if other in known.get(len(_WORDS.split(other)), ()):
                    found.setdefault(text, other)
    return found


def _speakers(known: dict[int, dict[str, list[str]]]) -> dict[str, str]:
    """The texts that begin with who speaks ("httpd - "), where others say the same without: a rest of their header."""
    found = {}
    for text in sorted(text for length in known.values() for text in length if " -" in text):
        match = _SPEAKER.match(text)
        if match and not tells(match[1]) and not is_state(match[1]):
            rest = text[match.end() :]
            if rest in known.get(len(_WORDS.split(rest)), ()):
                found[text] = rest
    return found


def _one_of_many(known: dict[int, dict[str, list[str]]]) -> dict[str, str]:
    """The texts that name one of something ("<*> file"), where others name several, with these."""
    found: dict[str, str] = {}
    for text in sorted(text for length in known.values() for text in length if V in text):
        for match in _COUNTED.finditer(text):
            other = f"{text[: match.end(1)]}s{text[match.end(1) :]}"
            if other in known.get(len(_WORDS.split(other)), ()):
                found.setdefault(text, other)
    return found


def _masked(texts: dict[str, list[str]]) -> dict[str, str]:
    """The texts of one length that lose words to texts that are equal but for one place, with what they become."""
    rows = [words for _, words in sorted(texts.items())]
    if len(rows) < 2:
        return {}
    places: dict[int, set[int]] = defaultdict(set)
    for place, group in _alike(rows):
        for row in _values_of(rows, place, group):
            places[row].add(place)
    return {
        "".join(rows[row]): shortened(
            "".join(V if place in masked else word for place, word in enumerate(rows[row]))
        )
        for row, masked in places.items()
    }


def _alike(rows: list[list[str]]) -> list[tuple[int, list[int]]]:
    """Places, and the rows of one length that are equal but for the word in this place."""
    ids: dict[str, int] = {}
    numbers = np.array([[ids.setdefault(word, len(ids)) for word in row] for row in rows], dtype=np.uint64)
    length = numbers.shape[1]
    with np.errstate(over="ignore"):
        marks = _mixed(numbers * np.uint64(length) + np.arange(length, dtype=np.uint64))
        whole = marks.sum(axis=1, dtype=np.uint64)
        found = []
        for place in range(0, length, 2):
            rest = whole - marks[:, place]
            order = np.argsort(rest, kind="stable")
            starts = np.flatnonzero(np.diff(rest[order], prepend=rest[order[0]] + np.uint64(1)))
            ends = np.append(starts[1:], len(order))
            for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
                found.append((place, sorted(order[start:end].tolist())))
    return found


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers that are spread over all 64 bits, the same for the same (SplitMix64's finaliser, Steele et al. 2014)."""
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _values_of(rows: list[list[str]], place: int, group: list[int]) -> list[int]:
    """The rows of a group whose word in this place is a value."""
    words = {row: rows[row][place] for row in group}
    names = [row for row, word in words.items() if word != V and may_be_name(word)]
    if not names:
        return []
    some = rows[group[0]]
    before = [word for word in some[:place:2] if word]
    if (before and tells(before[-1])) or tells_of_state(before[-3:] + some[place + 2 : place + 5 : 2]):
        return []
    shaped = all(_SHAPED.fullmatch(words[row]) for row in names)
    sign = some[place - 1] if place else ""
    of_an_object = bool(before) and before[-1].lower() in PREPOSITIONS
    in_brackets = sign[-1:] in tuple("\"'[({<=/")
    after_a_noun = bool(before) and before[-1].lower() in NOUNS
    first = not before
    if V in words.values() and not first and (of_an_object or in_brackets or after_a_noun or shaped):
        return names
    if first and not all(_DOTTED.fullmatch(words[row]) for row in names):
        least = AT_THE_BEGINNING
    elif after_a_noun:
        least = AFTER_A_NOUN
    elif of_an_object or in_brackets or shaped:
        least = OF_AN_OBJECT
    else:
        least = ANYWHERE
    return names if len(names) >= least else []
