"""Names are known without loading anything; what cannot be used is named with its place."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofbook.errors import ExtensionError, UnknownName
from proofbook.registry import Registry

OWN = {"decimal": "decimal:Decimal", "absent": "proofbook_no_such_module:thing"}


def registry(wanted: type[object] = type) -> Registry[object]:
    return Registry("number", group="proofbook.test_numbers", own=OWN, wanted=wanted)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which packages are installed, for as long as the test takes."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def install(folder: Path, package: str, entries: dict[str, str], code: str = "") -> None:
    """A package with entry points, as an installer leaves it."""
    (folder / f"{package}.py").write_text(code)
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = "\n".join(f"{name} = {value}" for name, value in entries.items())
    (about / "entry_points.txt").write_text(f"[proofbook.test_numbers]\n{lines}\n")
    importlib.invalidate_caches()


def test_names_are_listed_without_importing_what_they_name(installed: Path) -> None:
    install(installed, "loud", {"loud": "loud:Loud"}, "raise RuntimeError('imported')")
    assert registry().names() == ["decimal", "absent", "loud"]
    assert "loud" in registry() and "quiet" not in registry()


def test_an_object_of_another_package_is_loaded_by_its_name(installed: Path) -> None:
    install(installed, "fine", {"fraction": "fractions:Fraction"})
    assert registry().get("fraction").__name__ == "Fraction"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise RuntimeError('no licence')", "it cannot be imported (RuntimeError: no licence)"),
        ("", "it cannot be imported (AttributeError: module 'broken' has no attribute 'Thing')"),
        ("Thing = 3", "expected a type, got int"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_package(installed: Path, code: str, why: str) -> None:
    install(installed, "broken", {"broken": "broken:Thing"}, code)
    with pytest.raises(ExtensionError) as raised:
        registry().get("broken")
    assert str(raised.value) == f"number 'broken' (broken:Thing of broken): {why}"


def test_a_name_that_is_taken_stays_with_who_had_it_and_both_places_are_named(installed: Path) -> None:
    install(installed, "second", {"decimal": "fractions:Fraction", "fraction": "fractions:Fraction"})
    found, problems = registry().usable()
    assert {name: item.__name__ for name, item in found.items()} == {
        "decimal": "Decimal",
        "fraction": "Fraction",
    }  # type: ignore[attr-defined]
    assert [str(problem).split(" (")[0] for problem in problems] == ["number 'decimal'", "number 'absent'"]
    assert (
        str(problems[0])
        == "number 'decimal' (fractions:Fraction of second): the name is taken by decimal:Decimal; give it another"
    )


def test_an_unknown_name_comes_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownName, match="there is no number 'decimla'; did you mean 'decimal'"):
        registry().get("decimla")
