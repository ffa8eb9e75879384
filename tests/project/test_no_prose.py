"""Facts are fields: no code takes a sentence apart that the program wrote, so that every sentence can be reworded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

LIB = ROOT / "lib" / "proofbook"
# What a finding, a verdict or an error says in words.
SENTENCES = {"statement", "sentence", "threshold", "got", "expected", "claim", "seen", "detail", "headline"}
TAKING_APART = {
    "partition", "rpartition", "split", "rsplit", "splitlines", "startswith", "endswith", "removeprefix", "removesuffix", "find", "index",
    "sub", "subn", "match", "fullmatch", "search", "findall", "finditer",
}  # fmt: skip


def words(node: ast.AST) -> bool:
    """Whether an expression is one of those sentences, whatever was done to it on the way (`.strip()`, `str(…)`, a slice)."""
    match node:
        case ast.Attribute(attr=name) if name in SENTENCES:
            return True
        case ast.Subscript(slice=ast.Constant(value=str(name))) if name in SENTENCES:
            return True
        case ast.Name(id="statement" | "sentence"):
            return True
        case ast.Subscript(value=inner) | ast.Call(func=ast.Attribute(value=inner, attr="strip" | "lower")):
            return words(inner)
        case ast.Call(func=ast.Name(id="str"), args=[inner]) | ast.BoolOp(values=[inner, *_]):
            return words(inner)
        case _:
            return False


def taken_apart(source: str) -> Iterator[str]:
    """Every expression that looks into a sentence: a method of text, a regular expression, `in`, or a comparison with a text."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=on, attr=name), args=given) if name in TAKING_APART:
                if any(map(words, [on, *given])):
                    yield ast.unparse(node)
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
                if words(right) and not words(left):
                    yield ast.unparse(node)
            case ast.Compare(
                left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Constant(value=str())]
            ):
                if words(left):
                    yield ast.unparse(node)


@pytest.mark.parametrize(
    "source",
    [
        "item.sentence.partition(':')[0]",
        "str(run['sentence']).split(':')",
        "item.threshold.startswith(('none', 'at most'))",
        "re.sub('x', '', item.statement)",
        "BOUNDS.search(statement.strip())",
        "control.got[:4].endswith('x')",
        "'supported' in item.statement",
        "item.claim == 'all is well'",
    ],
)
def test_a_sentence_that_is_taken_apart_is_found(source: str) -> None:
    assert list(taken_apart(source)) == [source.removesuffix("[0]")]


@pytest.mark.parametrize("source", ["f'{item.statement}.'", "escape(item.claim)", "item.statement != other.statement", "name.partition(':')"])  # fmt: skip
def test_a_sentence_that_is_shown_is_none_of_these(source: str) -> None:
    assert not list(taken_apart(source))


@pytest.mark.parametrize("path", sorted(LIB.rglob("*.py")), ids=lambda path: path.relative_to(LIB).as_posix())
def test_no_code_reads_the_sentences_of_findings(path: Path) -> None:
    assert not list(taken_apart(path.read_text(encoding="utf-8")))
