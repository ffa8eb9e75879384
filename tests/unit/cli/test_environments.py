"""Environments chosen by name, pattern and tag."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofbook.cli.environments import chosen
from proofbook.errors import UsageError

SERVICE = '[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
FILES = {
    "base": '[[service]]\nname = "a"\nhealth = "/healthz"\n',
    "eu-1": 'extends = "base.toml"\ntags = ["eu", "canary"]\n[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n',
    "eu-2": f'tags = ["eu"]\n{SERVICE}',
    "us-1": f'extends = "eu-2.toml"\ntags = ["us"]\n{SERVICE}',
    "broken": "tags = [",
}


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("environments", "cases"):
        (tmp_path / "notebooks" / name).mkdir(parents=True)
    (tmp_path / "notebooks" / "02-websocket.ipynb").write_text("{}", encoding="utf-8")
    for name, text in FILES.items():
        (tmp_path / "notebooks" / "environments" / f"{name}.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROOFBOOK_WORKSPACE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("named", "tags", "found"),
    [
        (["eu-*"], [], ["eu-1", "eu-2"]),
        (["us-1", "eu-?", "*-1"], [], ["us-1", "eu-1", "eu-2"]),
        # A file that is extended and is none by itself is no environment; one that is one stays.
        (["*"], [], ["broken", "eu-1", "eu-2", "us-1"]),
        (["base"], [], ["base"]),
        (["nobody", "eu-1"], [], ["nobody", "eu-1"]),
        # What cannot be read may have the tag: it is an error of its own and no silent omission.
        ([], ["eu"], ["broken", "eu-1", "eu-2"]),
        (["eu-*", "us-1"], ["eu", "canary"], ["eu-1"]),
        (["us-*"], ["us"], ["us-1"]),
    ],
)
def test_names_patterns_and_tags_choose_each_environment_once(
    named: list[str], tags: list[str], found: list[str], base: Path
) -> None:
    assert chosen(named, tags=tags, base=base) == found


@pytest.mark.parametrize(
    ("named", "tags", "sentence"),
    [
        ([], [], "expected an environment, a pattern such as 'eu-*', or --tag, got none of these; see: proofbook run --help"),
        (["as-*"], [], "no environment matches 'as-*' in notebooks/environments; there are: broken, eu-1, eu-2, us-1"),
        (["ba*"], [], "no environment matches 'ba*' in notebooks/environments; there are: broken, eu-1, eu-2, us-1"),
        (["eu-*", "us-1"], ["asia"], "no environment has the tag 'asia', which its file states as tags = [...]; there are: canary, eu, us"),
    ],
)  # fmt: skip
def test_nothing_chosen_is_one_sentence_that_says_what_there_is(
    named: list[str], tags: list[str], sentence: str, base: Path
) -> None:
    with pytest.raises(UsageError) as raised:
        chosen(named, tags=tags, base=base)
    assert str(raised.value) == sentence
