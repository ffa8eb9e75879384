"""Files are written whole, under names that nobody can foretell."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from proofbook.files import replace_text, unfinished


def test_readers_see_the_old_text_or_the_new_one_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace_text(path, "old")
    with path.open() as reader:
        replace_text(path, "new \ud800")
        assert reader.read() == "old"
    assert path.read_text() == "new ?"
    assert list(tmp_path.iterdir()) == [path]


def test_a_planted_symlink_is_neither_followed_nor_kept(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    for name in ("index.json", ".index.json.new", ".index.json..new"):
        (outputs / name).symlink_to(precious)
    replace_text(outputs / "index.json", "{}")
    assert precious.read_text() == "precious"
    assert (outputs / "index.json").read_text() == "{}" and not (outputs / "index.json").is_symlink()


def test_where_writing_fails_the_old_file_stays_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "full").mkdir(parents=True)
    with pytest.raises(OSError):
        replace_text(path, "a file cannot take the place of a folder")
    assert [item.name for item in tmp_path.iterdir()] == ["folder"]


def test_a_file_has_the_permissions_that_were_asked_for_less_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_text(tmp_path / "usual", "")
        replace_text(tmp_path / "private", "", mode=0o600)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"usual": 0o640, "private": 0o600}


def test_what_a_killed_process_left_is_found_and_nothing_of_other_files(tmp_path: Path) -> None:
    for name in ("01-a.ipynb", ".01-a.ipynb.0123.new", ".01-a.ipynb2.0123.new", ".01-a.ipynb.0123"):
        (tmp_path / name).touch()
    assert [path.name for path in unfinished(tmp_path / "01-a.ipynb")] == [".01-a.ipynb.0123.new"]


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 255)
    replace_text(path, "long")
    assert path.read_text() == "long"
