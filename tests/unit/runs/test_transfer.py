"""What goes to an object store and comes from it, over fsspec's store in memory: a run is there when its run.json is, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from other_process import held_by_another

from proofbook.collect.logs import past
from proofbook.evidence import baseline, log_tables
from proofbook.judge.findings import Verdict
from proofbook.notify import state
from proofbook.runs import known_issues, record, stored, transfer
from proofbook.runs.place import Place, why

RUN = "20260101T000000Z-000000000001"


class Failing(MemoryFileSystem):  # type: ignore[misc]  # it has no types
    """A store that takes so many files more, and then loses its credentials."""

    cachable = False
    left = 10**9

    def put_file(self, *given: Any, **more: Any) -> None:
        if type(self).left <= 0:
            raise PermissionError("The provided token has expired.")
        type(self).left -= 1
        super().put_file(*given, **more)


@pytest.fixture(autouse=True)
def emptied() -> Iterator[None]:
    """The store in memory is one for the whole process."""
    Failing.left = 10**9
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def here(tmp_path: Path) -> Place:
    return Place(client=Failing(), root="/bucket/runs", here=tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Place:
    """The same store, on another machine."""
    return Place(client=Failing(), root="/bucket/runs", here=tmp_path / "there")


def add(place: Place, run: str = RUN, *, environment: str = "staging", **more: Any) -> Path:
    """A finished run of this machine, with evidence."""
    folder = place.here / environment / run
    executed = [made.write_notebook(folder, "01-mine", made.words("# Mine"))]
    (folder / "evidence" / "after").mkdir(parents=True)
    (folder / "evidence" / "manifest.json").write_text('{"environment": "staging"}')
    (folder / "evidence" / "after" / "health.parquet").write_bytes(b"rows")
    made.write_run(folder, [made.finding("x", "so it is", Verdict("fail"))], executed, **more)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != stored.MARK
    }


def verdicts(place: Place) -> dict[str, str]:
    """Of each run here the verdict that its run.json states; empty for one that has none."""
    found = {}
    for folder in stored.runs(place.here):
        found[folder.name] = record.read(folder).verdict.value if (folder / "run.json").exists() else ""
    return found


def test_a_run_comes_to_another_machine_first_by_what_it_says_and_then_whole(
    here: Place, there: Place
) -> None:
    run = add(here)
    assert stored.waits(run)
    assert transfer.send(here) == []
    assert not stored.waits(run)
    transfer.refresh(there)
    copy = there.here / "staging" / RUN
    assert list(files(copy)) == ["run.json"] and not stored.is_whole(copy)
    transfer.fetch(there, run=f"staging/{RUN}")
    assert files(copy) == files(run) and stored.is_whole(copy)


def test_a_half_sent_run_is_none_wherever_it_stopped_and_goes_on_from_there(
    here: Place, there: Place
) -> None:
    run = add(here)
    count = len(files(run))
    for taken in range(count):
        Failing.left = taken
        with pytest.raises(PermissionError):
            transfer.send(here)
        assert stored.waits(run)
        Failing.left = 10**9
        transfer.refresh(there)
        assert set(verdicts(there).values()) <= {""}, f"after {taken} files"
    transfer.send(here)
    transfer.refresh(there)
    assert verdicts(there) == {RUN: "fail"}


def test_a_run_that_is_sent_again_is_never_seen_with_half_of_what_is_new(here: Place, there: Place) -> None:
    run = add(here)
    transfer.send(here)
    made.write_run(run, [made.finding("x", "it is well", Verdict("pass"))], [], verdict="pass")
    (run / "notebooks" / "01-mine.ipynb").unlink()
    for taken in range(len(files(run))):
        Failing.left = taken
        with pytest.raises(PermissionError):
            transfer.send(here)
        Failing.left = 10**9
        assert "run.json" not in here.of_run(f"staging/{RUN}"), taken
    transfer.send(here)
    transfer.refresh(there)
    transfer.fetch(there, run=f"staging/{RUN}")
    assert files(there.here / "staging" / RUN) == files(run)
    assert verdicts(there) == {RUN: "pass"}


def test_two_machines_that_begin_the_same_at_once_both_have_both_runs(here: Place, there: Place) -> None:
    add(here, RUN)
    add(there, RUN[:-1] + "2")
    for place in (here, there):
        transfer.send(place)
    for place in (here, there):
        transfer.refresh(place)
        assert len(verdicts(place)) == 2


def test_what_somebody_else_wrote_meanwhile_is_replaced_only_where_that_is_asked_for(
    here: Place, there: Place
) -> None:
    run = add(here)
    transfer.send(here)
    transfer.refresh(there)
    transfer.fetch(there, run=f"staging/{RUN}")
    theirs = there.here / "staging" / RUN
    made.write_run(theirs, [made.finding()], [], verdict="inconclusive")
    transfer.send(there)
    made.write_run(run, [made.finding()], [], verdict="pass")
    assert transfer.send(here) == [
        f"run {RUN} in the store was written by somebody else since it was copied here; to keep theirs delete the folder, to keep this one: proofbook push {RUN} --force"
    ]
    transfer.refresh(here)
    assert verdicts(here) == {RUN: "pass"} and stored.waits(run)
    assert transfer.send(here, runs=[f"staging/{RUN}"], force=True) == []
    transfer.refresh(there)
    assert verdicts(there) == {RUN: "pass"}


def test_of_a_run_that_did_not_end_only_evidence_goes_and_of_one_with_a_secret_not_even_that(
    here: Place,
) -> None:
    add(here, ended=None)
    add(here, RUN[:-1] + "2", ended=None, reason="secret-found")
    transfer.send(here)
    evidence = ["evidence/after/health.parquet", "evidence/manifest.json"]
    assert sorted(here.of_run(f"staging/{RUN}")) == [*evidence, "run.json"]
    assert sorted(here.of_run(f"staging/{RUN[:-1]}2")) == ["run.json"]


def test_recorded_evidence_that_nobody_has_judged_goes_too(here: Place, there: Place) -> None:
    run = add(here)
    for name in ("run.json", "report.html"):
        (run / name).unlink()
    transfer.send(here)
    transfer.refresh(there)
    assert list(files(there.here / "staging" / RUN)) == ["evidence/manifest.json"]


def test_what_is_being_written_is_sent_by_whoever_writes_it(here: Place) -> None:
    run = add(here)
    with held_by_another(run):
        transfer.send(here)
        assert here.of_run(f"staging/{RUN}") == {} and stored.waits(run)


def test_no_name_in_a_store_leads_elsewhere(here: Place, tmp_path: Path) -> None:
    for name in ("..", ".hidden", "-f", "a\nb"):
        for place in (f"{name}/{RUN}/run.json", f"staging/{name}/run.json", f"staging/{RUN}/{name}/run.json"):
            here.client.pipe_file(f"/bucket/runs/{place}", b"{}")
    here.client.pipe_file(f"/bucket/runs/staging/{RUN}/.stored.json", b"{}")
    here.client.pipe_file("/bucket/runs/readme.txt", b"of somebody")
    assert [name for name in here.of_run(f"staging/{RUN}") if name.startswith(".")] == []
    transfer.refresh(here)
    transfer.fetch(here, run=f"staging/{RUN}")
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["here"])
    assert all(path.name == "staging" for path in here.here.iterdir())


def test_what_others_removed_goes_here_too_but_not_where_the_whole_store_was_emptied(
    here: Place, there: Place
) -> None:
    runs = [add(here, RUN[:-1] + str(number)) for number in range(3)]
    transfer.send(here)
    transfer.refresh(there)
    transfer.remove(there, runs=[f"staging/{runs[0].name}"], evidence=[], removed="")
    unsent = add(here, RUN[:-1] + "9")
    transfer.refresh(here)
    assert set(verdicts(here)) == {runs[1].name, runs[2].name, unsent.name}
    here.client.rm("/bucket/runs", recursive=True)
    transfer.refresh(here)
    assert set(verdicts(here)) == {runs[1].name, runs[2].name, unsent.name}


def test_evidence_is_removed_from_the_store_and_the_run_says_so(here: Place, there: Place) -> None:
    add(here)
    transfer.send(here)
    transfer.remove(here, runs=[], evidence=[f"staging/{RUN}"], removed='{"at": "2026-02-01T00:00:00.000Z"}')
    found = sorted(here.of_run(f"staging/{RUN}"))
    assert "evidence-removed.json" in found and "run.json" in found and "report.html" in found
    assert not [name for name in found if name.startswith(("evidence/", "notebooks/"))]


def test_what_lies_beside_the_runs_is_all_that_others_must_know() -> None:
    assert set(stored.STATE) == {baseline.FILE, known_issues.FILE, state.FILE}


def test_a_baseline_is_pinned_and_unpinned_for_all(here: Place, there: Place) -> None:
    run = add(here)
    (run.parent / baseline.FILE).write_text(json.dumps({"run": RUN}))
    transfer.send(here)
    transfer.refresh(there)
    assert baseline.pinned(there.here / "staging") == RUN
    baseline.unpin(there.here / "staging")
    transfer.send(there)
    transfer.refresh(here)
    assert baseline.pinned(here.here / "staging") == ""


def test_what_was_noted_here_and_not_sent_is_not_replaced_by_what_is_there(here: Place, there: Place) -> None:
    for place, text in ((here, "[1]"), (there, "[2]")):
        add(place)
        (place.here / "staging" / known_issues.FILE).write_text(text)
    transfer.send(here)
    transfer.refresh(there)
    assert (there.here / "staging" / known_issues.FILE).read_text() == "[2]"
    transfer.send(there, environment="staging")
    transfer.refresh(here)
    assert (here.here / "staging" / known_issues.FILE).read_text() == "[2]"


def test_a_run_that_changes_while_it_is_brought_is_brought_by_nobody(here: Place, there: Place) -> None:
    run = add(here)
    transfer.send(here)

    class Changing(Failing):
        def get_file(self, *given: Any, **more: Any) -> None:
            made.write_run(run, [made.finding("x", "it is well")], [], verdict="pass")
            self.pipe_file(f"/bucket/runs/staging/{RUN}/run.json", (run / "run.json").read_bytes())
            super().get_file(*given, **more)

    changing = Place(client=Changing(), root=there.root, here=there.here)
    with pytest.raises(transfer.Changed, match="was written by somebody else meanwhile; try again"):
        transfer.fetch(changing, run=f"staging/{RUN}")
    assert not list(there.here.rglob("*.deleted")) and not (there.here / "staging" / RUN).exists()


def test_evidence_that_grew_is_sent_again_wherever_that_stopped(here: Place, there: Place) -> None:
    run = add(here)
    transfer.send(here)
    (run / "evidence" / "before").mkdir()
    (run / "evidence" / "before" / "health.parquet").write_bytes(b"rows")
    (run / "evidence" / "manifest.json").write_text('{"environment": "staging", "phases": {}}')
    made.write_run(run, [made.finding("x", "it is well", Verdict("pass"))], [], verdict="pass")
    for taken in range(len(files(run))):
        Failing.left = taken
        with pytest.raises(PermissionError):
            transfer.send(here)
    Failing.left = 10**9
    assert transfer.send(here) == []
    transfer.refresh(there)
    transfer.fetch(there, run=f"staging/{RUN}")
    assert files(there.here / "staging" / RUN) == files(run)


def test_what_earlier_runs_read_in_logs_is_there_before_a_run_on_another_machine(
    here: Place, there: Place
) -> None:
    for number in range(3):
        run = add(here, RUN[:-1] + str(number))
        for name in transfer.PAST:
            (run / "evidence" / "after" / f"{name}.parquet").write_bytes(b"rows of a log")
    add(here, RUN[:-1] + "9")
    transfer.send(here)
    transfer.refresh(there, past=True)
    tables = [f"evidence/after/{name}.parquet" for name in transfer.PAST]
    for number in range(3):
        copy = there.here / "staging" / (RUN[:-1] + str(number))
        assert sorted(files(copy)) == sorted([*tables, "evidence/manifest.json", "run.json"])
        assert not stored.is_whole(copy)
    (copy / tables[0]).write_bytes(b"half")
    transfer.refresh(there, past=True)
    assert (copy / tables[0]).read_bytes() == b"rows of a log"
    assert list(files(there.here / "staging" / (RUN[:-1] + "9"))) == ["run.json"]
    known = {table.name for table in (log_tables.LOG_RHYTHM, log_tables.LOG_PATTERNS, log_tables.LOG_SOURCES, log_tables.LOG_MATCHES)}  # fmt: skip
    assert set(transfer.PAST) == known and transfer.MOST_PAST == past.MOST_RUNS


def test_a_damaged_mark_costs_nothing(here: Place) -> None:
    run = add(here)
    transfer.send(here)
    for text in ("", "[]", "{", '{"here": 1}'):
        (run / stored.MARK).write_text(text)
        (run.parent / stored.MARK).write_text(text)
        assert stored.waits(run)
        assert transfer.send(here) == []
        assert not stored.waits(run)
    shutil.rmtree(run)
    transfer.refresh(here)
    assert verdicts(here) == {RUN: "fail"}


@pytest.mark.parametrize(
    ("error", "sentence", "known"),
    [
        (ImportError("Install s3fs"), "s3://b/p: expected s3fs to be installed, found it is not: pip install 'proofbook[s3]'", True),
        (PermissionError("Access Denied"), "s3://b/p refused: Access Denied", False),
        (FileNotFoundError("The specified bucket does not exist"), "there is no s3://b/p: The specified bucket does not exist", False),
        (ConnectionRefusedError("no"), "s3://b/p does not answer: no", False),
        (OSError("at https://b/p?X-Amz-Signature=abc now"), "s3://b/p could not be used: OSError: at https://b/p?… now", False),
    ],
)  # fmt: skip
def test_what_went_wrong_is_a_sentence_without_what_opens_the_store(
    error: Exception, sentence: str, known: bool
) -> None:
    assert why(error, "s3://b/p") == (sentence, known)
