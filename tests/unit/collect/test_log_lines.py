"""Lines become the same entries wherever the blocks end in which a file is read, and none is lost."""

from __future__ import annotations

import io

import pytest
from builders import examples
from hypothesis import given
from hypothesis import strategies as st

from proofbook.collect.logs import lines
from proofbook.collect.logs.lines import Rule
from proofbook.collect.logs.pieces import PIECES

STRICT = Rule(begins="^[0-9]", goes_on="^(?:Error|at )")
LONG = Rule(begins="^[0-9]", goes_on=None)
LINES = st.sampled_from(
    ["1 begins", "2 ä begins", "  indented", "", "Error: ends", "a stray", "\tat x", "7", "€uro", "x" * 40, "\x1b[31m3 red\x1b[0m"]
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\r\n"])


def entries(
    data: bytes, rule: lines.Rule | lines.Pieces | None, *, block_bytes: int
) -> list[tuple[str, int, int, bool]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block_bytes)
        found = [row for batch in lines.entries(io.BytesIO(data), rule=rule) for row in batch.to_pylist()]
    return [(row["text"], row["line"], row["lines"], row["stray"]) for row in found]


@pytest.mark.parametrize("rule", [None, STRICT, LONG], ids=["lines", "strict", "long messages"])
@examples(100)
@given(written=st.lists(LINES, max_size=30), end=ENDS, cut=st.booleans(), size=st.integers(1, 50))
def test_where_blocks_end_changes_no_entry(
    rule: Rule | None, written: list[str], end: str, cut: bool, size: int
) -> None:
    text = end.join(written) + ("" if cut else end)
    whole = entries(text.encode(), rule, block_bytes=1 << 20)
    assert entries(text.encode(), rule, block_bytes=size) == whole
    plain = [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in written]
    kept = [line for line in plain if line]
    assert [line for found, *_ in whole for line in found.split("\n")] == kept
    assert sum(count for _, _, count, _ in whole) == len(kept)
    for found, number, _, _ in whole:
        assert found.split("\n")[0] == plain[number - 1]


def test_what_neither_begins_nor_goes_on_stands_alone() -> None:
    text = b"1 a\n  b\nError: c\nstray\n  of it\n2 d\n"
    assert entries(text, STRICT, block_bytes=64) == [
        ("1 a\n  b\nError: c", 1, 3, False),
        ("stray\n  of it", 4, 2, True),
        ("2 d", 6, 1, False),
    ]
    assert [found for found, *_ in entries(text, LONG, block_bytes=64)] == ["1 a\n  b\nError: c\nstray\n  of it", "2 d"]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_pieces_of_two_streams_are_put_together_each(size: int) -> None:
    written = ["t stdout P a", "t stderr P x", "t stdout P b", "t stderr F y", "t stdout F c", "t stdout F d"]
    text = "".join(f"{line}\n" for line in written).encode()
    found = entries(text, PIECES["container"], block_bytes=size)
    assert [(body, number, count) for body, number, count, _ in found] == [
        ("t stdout P abc", 1, 3),
        ("t stderr P xy", 2, 2),
        ("t stdout F d", 6, 1),
    ]


def test_a_line_without_an_end_costs_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1000)
    found = entries(b"x" * 5000 + b"\nnext\n", None, block_bytes=100)
    assert [body[-20:] for body, *_ in found][1:] == ["next"] and "more bytes]" in found[0][0]
    assert len(found[0][0]) < 1200
