"""What is derived from entries is the same in SQL as in the expressions that other engines get."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import ibis
import pytest

from proofbook.collect.logs import aggregates, places
from proofbook.evidence.store import MASK
from proofbook.investigation import prepare

URLS = [
    None, "", "https://a/", "http://a.example/v1/chat/42?x=1#y", "/v2", "/v2x/7", "wss://h:8/ws/0123456789abcdef0123456789abcdef01", "/a·b/é/9'", "/a#b?c", "relative/1/x",
]  # fmt: skip
BODIES = [
    None, "", "served u42 in 15ms", "mail to a@b.example: 'x'", 'say "42"', "zeile\n2\tdrei", "é" * 1200 + "7", "x" * 999 + "é9", "a\\1b", "{}", "no value",
]  # fmt: skip
LOOK = "import proofbook as pb, sys; pb.look()._repr_html_(); print('ibis.backends.sql.compilers' in sys.modules)"


@pytest.mark.parametrize(
    ("column", "texts", "expression", "pairs", "by_hand"),
    [
        ("http_url", URLS, lambda table: places.value_of(table, "endpoint"), places.TO_ENDPOINT, "http_url"),
        ("http_url", URLS, places.path_of, places.TO_PATH, "http_url"),
        ("body", BODIES, lambda table: aggregates.masked(table.body), [(aggregates.VALUE, MASK)], f"substring(body, 1, {aggregates.MAX_MESSAGE_CHARS})"),
    ],
    ids=["endpoint", "path", "message"],
)  # fmt: skip
def test_a_text_without_its_values_is_the_same_in_both(
    column: str,
    texts: list[str | None],
    expression: Callable[[Any], Any],
    pairs: Sequence[tuple[str, str]],
    by_hand: str,
) -> None:
    with duckdb.connect() as engine:
        engine.execute(f"CREATE TABLE said (row INTEGER, {column} VARCHAR)")
        engine.executemany("INSERT INTO said VALUES (?, ?)", list(enumerate(texts)))
        table = ibis.table({"row": "int32", column: "string"}, name="said")
        by_ibis = ibis.to_sql(table.order_by("row").select(found=expression(table)), dialect="duckdb")
        sql = prepare.replaced(by_hand, pairs)
        found = engine.execute(f"SELECT {sql} FROM said ORDER BY row").fetchall()
        assert found == engine.execute(str(by_ibis)).fetchall()
        assert found[0] == (None,) and len({text for (text,) in found}) > len(texts) / 2


@pytest.mark.extended
def test_a_first_display_loads_no_compiler_of_other_engines() -> None:
    told = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True).stdout
    assert told.strip() == "False"
