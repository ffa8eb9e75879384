"""Message templates: what many messages have in common once their values are left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from proofbook.evidence.store import MASK

# A place in which this many different words stand, all else being equal, holds a value too.
VALUES_AT_LEAST = 5


def merge(texts: Iterable[str]) -> dict[str, str]:
    """For each text (values that hold digits masked already) the template it belongs to.

    Texts of one length that differ in a single word, in which at least VALUES_AT_LEAST different words stand, become one.
    The result depends on the set of texts alone, not on their order: the same messages give the same templates.

    >>> said = [f"user {name} left" for name in ("ann", "bob", "cid", "dan", "eve")]
    >>> set(merge([*said, "user ann came"]).values()) == {"user <*> left", "user ann came"}
    True
    """
    templates = {text: tuple(text.split()) for text in texts}
    while True:
        merged = _merged_once(set(templates.values()))
        if not merged:
            return {text: " ".join(words) for text, words in templates.items()}
        templates = {text: _final(words, merged) for text, words in templates.items()}


def _merged_once(templates: set[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The templates that lose a word in this round, with what they become."""
    alike: dict[tuple[int, tuple[str, ...]], set[tuple[str, ...]]] = defaultdict(set)
    for words in templates:
        for place, word in enumerate(words):
            # Only words that could be values: a line of nothing but values would swallow everything.
            if word != MASK and len(words) > 1:
                alike[(place, (*words[:place], MASK, *words[place + 1 :]))].add(words)
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for (_, template), group in sorted(alike.items()):
        if len(group) >= VALUES_AT_LEAST or (template in templates and len(group) >= 1):
            for words in sorted(group):
                found.setdefault(words, template)
    return found


def _final(words: tuple[str, ...], merged: Mapping[tuple[str, ...], tuple[str, ...]]) -> tuple[str, ...]:
    return merged.get(words, words)
