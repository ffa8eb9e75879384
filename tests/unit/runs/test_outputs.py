"""Runs lie in `outputs/` and nowhere else, are their owner's alone, and one that cannot be deleted costs no other."""

from __future__ import annotations

import json
import stat
import threading
from dataclasses import replace
from pathlib import Path

import made
import pytest
from conftest import proofbook
from other_process import held_by_another

from proofbook.errors import CouldNotLook, UnknownName, UsageError
from proofbook.judge.findings import Verdict
from proofbook.pipeline import replay
from proofbook.report import index
from proofbook.runs import folders, history, permissions, record, stored, verify


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace without notebooks and without runs."""
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path


def add(base: Path, run_id: str, *, environment: str = "staging") -> Path:
    folder = base / "outputs" / environment / run_id
    made.write_run(
        folder, [made.finding("x", "so it is", Verdict("inconclusive"))], [], case="c", verdict="inconclusive"
    )
    return folder


def test_a_run_can_be_read_by_its_owner_alone_unless_said_otherwise(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def modes() -> tuple[int, ...]:
        run = folders.new_folder("staging", base=base)
        index.refresh(base=base)
        written = (run, run.parent.parent / history.INDEX, run.parent.parent / index.PAGE)
        return tuple(stat.S_IMODE(path.stat().st_mode) for path in written)

    assert modes() == (0o700, 0o600, 0o600)
    monkeypatch.setenv(permissions.MODE_VARIABLE, "0750")
    assert modes() == (0o750, 0o640, 0o640)
    for wrong in ("rwx", "0077", "9999", "-1", "1777"):
        monkeypatch.setenv(permissions.MODE_VARIABLE, wrong)
        with pytest.raises(UsageError, match="PROOFBOOK_OUTPUTS_MODE: expected the permissions of a folder"):
            folders.new_folder("staging", base=base)


def test_nothing_is_written_listed_or_deleted_through_a_symlink(base: Path) -> None:
    elsewhere = base / "elsewhere"
    kept = [add(base, f"2026010{day}T000000Z-0000", environment="../elsewhere") for day in (1, 2, 3)]
    run = add(base, "20260101T000000Z-0000")
    (base / "outputs" / "production").symlink_to(elsewhere)
    (run.parent / "latest").symlink_to(run)
    with pytest.raises(UsageError, match="got a symlink"):
        folders.new_folder("production", base=base)
    assert [(entry.environment, entry.run_id) for entry in index.refresh(base=base)] == [
        ("staging", run.name)
    ]
    entries = [history._read(path, "") for path in kept]
    entries = [replace(entry, environment="production") for entry in entries]
    done = history.prune(entries, base=base)
    assert done.runs == 0 and len(done.problems) == 3 and "symlink" in done.problems[0]
    assert all(path.is_dir() for path in kept)


def test_what_cannot_be_deleted_stays_and_the_rest_goes(base: Path) -> None:
    held, gone, free = (add(base, f"2026010{day}T000000Z-0000") for day in (1, 2, 3))
    (held.parent / f".20250101T000000Z-0000.ab{stored.DELETED}").mkdir()  # of a prune that was killed
    entries = history.entries(base=base)
    made_of = {entry.run_id: entry for entry in entries}
    history.prune([made_of[gone.name]], base=base)
    with held_by_another(held):
        done = history.prune(entries, base=base)
    assert done.runs == 1 and [held.name in problem for problem in done.problems] == [True]
    assert [path.name for path in held.parent.iterdir()] == [held.name]
    assert not free.exists()


def test_two_that_prune_at_once_delete_everything_once(base: Path) -> None:
    for day in range(1, 29):
        add(base, f"202601{day:02}T000000Z-0000")
    entries = history.entries(base=base)
    done: list[history.Pruned] = []
    both = [threading.Thread(target=lambda: done.append(history.prune(entries, base=base))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sum(item.runs for item in done) == 28
    assert all("being written" in problem for item in done for problem in item.problems)
    assert list((base / "outputs" / "staging").iterdir()) == []


def test_a_run_that_holds_only_evidence_is_listed_and_pruned_like_others(base: Path) -> None:
    folder = base / "outputs" / "staging" / "20260101T000000Z-0000"
    (folder / "evidence").mkdir(parents=True)
    (folder / "evidence" / "manifest.json").write_text("{}")
    [entry] = index.refresh(base=base)
    assert (entry.verdict, entry.reason) == ("inconclusive", "not-judged")
    assert entry.sentence.endswith(f"judge it with: proofbook run staging --run {folder.name}")
    add(base, "20260401T000000Z-0000")
    old = history.prunable(index.refresh(base=base), keep=1)
    # Another case: what was never judged has none.
    assert old == []
    assert [
        item.run_id
        for item in history.prunable([entry, replace(entry, run_id="20260102T000000Z-0000")], keep=1)
    ] == [folder.name]


@pytest.mark.parametrize("name", ["..", ".", "-f", ".hidden", "a/b", "a\nb", "a" * 101])
def test_no_name_leads_elsewhere(name: str, base: Path) -> None:
    run = add(base, "20260101T000000Z-0000")
    content = json.loads((run / "run.json").read_text())
    for key in ("environment", "case", "run_id"):
        (run / "run.json").write_text(json.dumps({**content, key: name}))
        with pytest.raises(CouldNotLook, match=f"{key}: expected a name"):
            record.read(run)
        assert history.entries(base=base)[0].reason == "unreadable"


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "-f"])
@pytest.mark.parametrize("kind", ["environments", "cases"])
def test_a_file_whose_name_is_no_name_is_refused_before_anything_is_written(
    kind: str, name: str, workspace: Path, tmp_path: Path
) -> None:
    place = tmp_path / "w"
    (place / "notebooks" / kind).mkdir(parents=True)
    notebook = (workspace / "notebooks" / "02-websocket.ipynb").read_bytes()
    (place / "notebooks" / "02-websocket.ipynb").write_bytes(notebook)
    file = place / "notebooks" / kind / f"{name}.toml"
    file.write_text(
        'title = "t"\n' if kind == "cases" else '[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
    )
    (place / "notebooks" / "environments").mkdir(exist_ok=True)
    good = place / "notebooks" / "environments" / "good.toml"
    good.write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    asked = [str(file)] if kind == "environments" else [str(good), "--case", str(file)]
    done = proofbook("run", *asked, cwd=place, workspace=place)
    assert done.returncode == 2 and "expected a file name that begins with a letter" in done.stderr, (
        done.stderr
    )
    assert not (place / "outputs").exists()


def test_a_run_without_its_case_is_not_replayed_by_another_one(base: Path) -> None:
    run = add(base, "20260101T000000Z-0000")
    (run / "evidence").mkdir()
    manifest = {"schema_version": 3, "environment": "staging", "phases": {}}
    (run / "evidence" / "manifest.json").write_text(json.dumps(manifest))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    inputs = run / "inputs"
    for name in ("staging.toml", "case/c.toml"):
        with pytest.raises(CouldNotLook, match=f"inputs/{name}, found none; the run is not whole"):
            replay.replay(run, base=base, say=lambda _: None)
        (inputs / name).parent.mkdir(parents=True, exist_ok=True)
        (inputs / name).touch()
        before[inputs / name] = b""
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("inside", ["[]", "{", "null", '"text"', ""])
def test_a_report_that_says_nothing_readable_of_its_run_is_no_report(inside: str, tmp_path: Path) -> None:
    run = tmp_path / "20260101T000000Z-0000"
    made.write_run(run, [made.finding("x", "so it is", Verdict("pass"))], [], case="c", verdict="pass")
    page = run / "report.html"
    text = page.read_text()
    start = text.index('id="proofbook-run">') + len('id="proofbook-run">')
    page.write_text(text[:start] + inside + text[text.index("</script>", start) :])
    with pytest.raises(UsageError, match="expected a run's id or folder, or a report that Proofbook wrote"):
        verify.report(page)


@pytest.mark.slow
def test_known_issues_that_were_damaged_are_told_before_a_run_begins(workspace: Path, tmp_path: Path) -> None:
    place = tmp_path / "w"
    (place / "notebooks" / "environments").mkdir(parents=True)
    for name in ("02-websocket.ipynb", "00-validation-report.ipynb"):
        (place / "notebooks" / name).write_bytes((workspace / "notebooks" / name).read_bytes())
    (place / "notebooks" / "environments" / "a.toml").write_text(
        '[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
    )
    runs = place / "outputs" / "a"
    runs.mkdir(parents=True)
    (runs / "known-issues.json").write_text("{")
    for command in ("run", "watch"):
        done = proofbook(command, "a", cwd=place, workspace=place)
        assert done.returncode == 2 and "known-issues.json" in done.stderr, done.stderr
        assert [path.name for path in runs.iterdir()] == ["known-issues.json"]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["{", "", '{"schema_version": 9}'])
def test_a_run_whose_evidence_is_damaged_is_not_continued_and_not_changed(
    damage: str, base: Path, workspace: Path
) -> None:
    environment = base / "staging.toml"
    environment.write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    run = add(base, "20260101T000000Z-0000")
    (run / "evidence").mkdir()
    (run / "evidence" / "manifest.json").write_text(damage)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    outputs = {"PROOFBOOK_OUTPUTS": str(base / "outputs")}
    for command in (["run", str(environment), "--run", run.name], ["replay", run.name]):
        done = proofbook(*command, cwd=base, workspace=workspace, **outputs)
        assert done.returncode == 4 and "manifest.json" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_an_unknown_run_is_told_with_those_that_are_there(base: Path) -> None:
    run = add(base, "20260101T000000Z-0000")
    (run.parent / ".hidden").mkdir()
    (run.parent / ".hidden" / "run.json").touch()
    with pytest.raises(UnknownName) as raised:
        folders.find("nothing", base=base)
    assert raised.value.known == [run.name]
