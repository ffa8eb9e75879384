"""Environment files that extend others: what is merged, where each value comes from, and mistakes in one sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path

import asking
import pytest

from proofbook.config import environment, layers
from proofbook.errors import ConfigurationError

BASE = """
tags = ["all", "x"]
observe_s = 3
[pace]
per_s = 5
concurrency = 2
[[service]]
name = "api"
url = "http://127.0.0.1:1"
health = "/healthz"
[[service]]
name = "auth"
url = "http://127.0.0.1:2"
"""
OVER = """
extends = "base.toml"
tags = ["eu"]
[pace]
per_s = 7
[[service]]
name = "auth"
url = "http://127.0.0.1:3"
[[service]]
name = "new"
url = "http://127.0.0.1:4"
"""


def files(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def test_tables_are_merged_by_key_named_tables_by_name_and_other_arrays_replace(tmp_path: Path) -> None:
    files(tmp_path, base=BASE, over=OVER)
    found = layers.read(tmp_path / "over.toml").values
    assert found["pace"] == {"per_s": 7, "concurrency": 2}
    assert found["tags"] == ["eu"] and found["observe_s"] == 3
    assert found["service"] == [
        {"name": "api", "url": "http://127.0.0.1:1", "health": "/healthz"},
        {"name": "auth", "url": "http://127.0.0.1:3"},
        {"name": "new", "url": "http://127.0.0.1:4"},
    ]
    loaded = environment.load(str(tmp_path / "over.toml"), base=tmp_path)
    assert loaded.name == "over" and [item.name for item in loaded.services] == ["api", "auth", "new"]


def test_every_value_is_known_with_the_file_that_states_it(tmp_path: Path) -> None:
    files(tmp_path, base=BASE, over=OVER)
    found = layers.read(tmp_path / "over.toml")
    came = {key: file.stem for key, file in found.origins.items()}
    assert came == {
        "observe_s": "base", "pace.concurrency": "base", "pace.per_s": "over", "tags": "over",
        "service[0].name": "base", "service[0].url": "base", "service[0].health": "base",
        "service[1].name": "over", "service[1].url": "over", "service[2].name": "over", "service[2].url": "over",
    }  # fmt: skip
    assert {key: file.stem for key, file in found.replaced.items()} == {
        "pace.per_s": "base", "tags": "base", "service[1].name": "base", "service[1].url": "base"
    }, "whose value is not there any more"  # fmt: skip
    assert found.stated_in("service[0].url.env").stem == "base"
    assert found.stated_in("nowhere.at.all").stem == "over"


def test_a_file_may_extend_one_that_extends_another_each_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    files(
        tmp_path / "shared", root='title = "root"\nobserve_s = 1', base='extends = "root.toml"\nobserve_s = 2'
    )
    files(tmp_path, over='extends = "shared/base.toml"\nwarm_up_s = 3')
    found = layers.read(tmp_path / "over.toml")
    assert found.values == {"title": "root", "observe_s": 2, "warm_up_s": 3}
    assert [path.stem for path in found.files] == ["over", "base", "root"]


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            {"a": 'extends = "b.toml"', "b": 'extends = "c.toml"', "c": 'extends = "b.toml"'},
            "c.toml: extends: expected files that do not extend each other in a circle, got a.toml → b.toml → c.toml → b.toml",
        ),
        (
            {"a": 'extends = "a.toml"'},
            "a.toml: extends: expected files that do not extend each other in a circle, got a.toml → a.toml",
        ),
        (
            {"a": 'extends = "gone.toml"'},
            "a.toml: extends: expected a TOML file at gone.toml, found nothing; the path is relative to the file that extends it",
        ),
        ({"a": "extends = 3"}, "a.toml: extends: expected the path of a TOML file, got 3"),
        ({"a": 'extends = "b.toml"', "b": "x = ["}, "b.toml: expected TOML, got a syntax error: Invalid value (at end of document)"),
        ({"a": 'extends = "b.toml"', "b": "observe_s = -1"}, "b.toml: observe_s: expected greater than or equal to 0, got -1"),
        ({"a": 'extends = "b.toml"\nobserv_s = 1', "b": BASE}, "a.toml: observv"),
        ({"a": 'tags = ["a b"]'}, "a.toml: tags[0]: expected a word of letters, digits, hyphens and dots, such as eu-west, got 'a b'"),
        (
            {"a": 'extends = "b.toml"\n[[service]]\nname = "auth"\n[[service]]\nname = "auth"\nurl = "http://127.0.0.1:5"', "b": BASE},
            "a.toml: service: expected different names, got 'auth' twice",
        ),
        (
            {"a": 'extends = "b.toml"\n[[service]]\nname = "api"', "b": BASE + '[[service]]\nname = "api"\nurl = "http://127.0.0.1:6"'},
            "b.toml: service: expected different names, got 'api' twice",
        ),
        (
            {"a": 'extends = "b.toml"\n[[notify.command]]\nname = "x"\nrun = ["a"]\n[[notify.command]]\nname = "x"\nrun = ["b"]', "b": BASE},
            "a.toml: notify.command: expected different names, got 'x' twice",
        ),
    ],
)  # fmt: skip
def test_a_mistake_names_the_file_in_which_it_is(
    texts: dict[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files(tmp_path, **texts)
    with pytest.raises(ConfigurationError) as raised:
        environment.load("a.toml", base=tmp_path)
    told = str(raised.value).splitlines()[0]
    assert (
        told == sentence
        if "observv" not in sentence
        else told.startswith("a.toml: observ_s: unknown key; did you mean")
    )


def test_a_run_keeps_one_file_that_says_the_same(tmp_path: Path) -> None:
    files(tmp_path, base=BASE, over=OVER)
    text = environment.kept_text(tmp_path / "over.toml")
    assert text is not None and tomllib.loads(text) == layers.read(tmp_path / "over.toml").values
    assert environment.kept_text(tmp_path / "base.toml") is None


def test_a_list_that_took_the_place_of_another_is_said_by_explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files(tmp_path, base=BASE, over=OVER)
    said = asking.ask("explain", "over.toml").out.splitlines()
    assert "# tags: over.toml, in place of base.toml" in said
    assert "# service[0].health: base.toml" in said
