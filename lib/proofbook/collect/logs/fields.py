"""The SQL for what an entry holds beside the things that have columns of their own: a map of names and texts.

A list of key and value becomes a map at the end, so that pieces of different origin can be put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from proofbook.config.duckdb_text import json_pointer, quoted

# So many names are kept of an entry, the others are counted; and so many characters of a value, which then says what it lacks.
MOST_FIELDS, MOST_CHARS = 64, 4000
NOTHING = "[]::STRUCT(key VARCHAR, value VARCHAR)[]"
# Pairs as logfmt writes them: name=value or name="a value".
_PAIR = r'(?:^|[\s,;|\[(])([A-Za-z_][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s,;|"\])]*)'


def of_object(text: str, *, steps: Sequence[str] = (), prefix: str = "", may_repeat: bool = True) -> str:
    """SQL: the names and values of a JSON object as a list; what is nested deeper stays JSON.

    steps: to an object within, such as `labels`. may_repeat: whether a name may stand in it twice; if one does all the same, the
    query fails.
    """
    place = json_pointer(steps)
    inner = f"json_extract({text}, {quoted(place)})" if steps else text
    names = f"json_keys({text}, {quoted(place)})" if steps else f"json_keys({text})"
    key = f"{quoted(prefix)} || e.key" if prefix else "e.key"
    # DuckDB makes no map of an object that has a name twice, and says so by an error that nothing catches.
    once = f"list_unique({names}) = len({names})"
    quick = f"map_entries(json_transform({inner}, '\"MAP(VARCHAR, VARCHAR)\"'))"
    step = "'/' || replace(replace(k, '~', '~0'), '/', '~1')"
    slow = f"list_transform(list_sort(list_distinct({names})), k -> {{'key': k, 'value': json_extract_string({text}, {quoted(place)} || {step})}})"
    found = f"CASE WHEN {once} THEN {quick} ELSE {slow} END" if may_repeat else quick
    return f"list_transform({found}, e -> {{'key': {key}, 'value': e.value}})" if prefix else found


def of_values(values: Mapping[str, str]) -> str:
    """SQL: values as a list, by their names; some may be NULL or empty."""
    if not values:
        return NOTHING
    pairs = (f"{{'key': {quoted(name)}, 'value': {value}}}" for name, value in values.items())
    return f"[{', '.join(pairs)}]"


def of_pairs(text: str) -> str:
    """SQL: the pairs in a text as a list, the first of each name."""
    names, values = (f"regexp_extract_all({text}, {quoted(_PAIR)}, {group})" for group in (1, 2))
    pairs = f"list_zip({names}, {values})"
    return f"list_transform({pairs}, p -> {{'key': p[1], 'value': trim(p[2], '\"')}})"


def together(lists: Iterable[str], *, without: Iterable[str]) -> str:
    """SQL: the lists as one, without what is empty or has a column of its own."""
    whole = [item for item in lists if item != NOTHING]
    if not whole:
        return NOTHING
    joined = whole[0] if len(whole) == 1 else f"list_concat({', '.join(whole)})"
    names = ", ".join(map(quoted, without))
    kept = f" AND e.key NOT IN ({names})" if names else ""
    return f"list_filter({joined}, e -> e.value <> ''{kept})"


def as_map(items: str, *, may_repeat: bool = True) -> str:
    """SQL: a list as a map of at most MOST_FIELDS names; NULL where it is empty.

    may_repeat: whether a name may stand in it twice; if one does all the same, the query fails.
    """
    first = f"CASE WHEN len({items}) > {MOST_FIELDS} THEN {items}[1:{MOST_FIELDS}] ELSE {items} END"
    if not may_repeat:
        return f"CASE WHEN len({items}) > 0 THEN map_from_entries({first}) END"
    keys = f"list_sort(list_distinct(list_transform({first}, e -> e.key)))"
    once = (
        f"list_transform({keys}, k -> {{'key': k, 'value': list_filter({first}, e -> e.key = k)[1].value}})"
    )
    return f"CASE WHEN len({items}) > 0 THEN coalesce(try(map_from_entries({first})), map_from_entries({once})) END"


def cut(items: str) -> str:
    """SQL: how many names of a list a map of it has not."""
    return f"greatest(len({items}) - {MOST_FIELDS}, 0)"


# Between texts that are cleaned as one: most rules end with the line, and no text uses that character.
BETWEEN = "\n\ue000\n"


def text_of(found: str) -> str:
    """SQL: a map as one text: its names, then each with its value, since a name may say that the value is a secret."""
    pairs = f"list_transform(map_entries({found}), e -> e.key || '=' || e.value)"
    return f"array_to_string(list_concat(map_keys({found}), {pairs}), {quoted(BETWEEN)})"


def cleaned(found: str, text: str) -> str:
    """SQL: a map without secrets, and with its longest values cut; text: what `text_of` gives, without secrets.

    A name that holds a secret is replaced by what is left of it and its place. Where a secret goes over the end of a value, they
    cannot be told apart, and all is one text.
    """
    parts, count = f"string_split({text}, {quoted(BETWEEN)})", f"cardinality({found})"
    key = "CASE WHEN z[1] = z[2] THEN z[1] ELSE z[2] || ' ' || i END"
    value = " ".join(
        f"WHEN starts_with(z[3], {name} || '=') THEN substr(z[3], length({name}) + 2)"
        for name in ("z[1]", "z[2]")
    )
    zipped = f"list_zip(map_keys({found}), {parts}[1:{count}], {parts}[{count} + 1:])"
    items = f"list_transform({zipped}, (z, i) -> {{'key': {key}, 'value': CASE {value} ELSE z[3] END}})"
    told = (
        f"CASE WHEN len({parts}) = 2 * {count} THEN {items} ELSE [{{'key': 'redacted', 'value': {text}}}] END"
    )
    more = f"' [' || format('{{:,}}', length(e.value) - {MOST_CHARS}) || ' more characters]'"
    short = f"CASE WHEN length(e.value) > {MOST_CHARS} THEN left(e.value, {MOST_CHARS}) || {more} ELSE e.value END"
    return f"map_from_entries(list_transform({told}, e -> {{'key': e.key, 'value': {short}}}))"
