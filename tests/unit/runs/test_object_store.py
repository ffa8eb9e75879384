"""Runs whose place is an address: which addresses are refused, and the command line over a store that is another folder."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import asking
import made
import pytest
import told
from conftest import with_notebooks

from proofbook import paths
from proofbook.errors import CouldNotLook, UsageError
from proofbook.judge.findings import Verdict
from proofbook.pipeline import afterwards
from proofbook.runs import folders, object_store, stored
from proofbook.validation import Validation

pytestmark = pytest.mark.slow
RUN = "20260101T000000Z-000000000001"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that is a folder, and a machine that has nothing of it yet."""
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", f"file://{tmp_path / 'store'}")
    monkeypatch.setenv("PROOFBOOK_SCRATCH", str(tmp_path / "here"))
    monkeypatch.setattr(object_store, "FRESH_S", -1.0)
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def add(base: Path, run: str = RUN, verdict: str = "fail") -> Path:
    folder = paths.outputs(base) / "staging" / run
    made.write_run(folder, [made.finding("x", "so it is", Verdict(verdict))], [], verdict=verdict)
    return folder


def moved_away(folder: Path) -> None:
    """Nothing of this machine's copy stays, as on another machine."""
    shutil.rmtree(folder.parent.parent)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("s3://key:secret@bucket/x", "expected an address without user, password and query, since it is shown in messages; what opens the store belongs into the variables of its client, such as AWS_ACCESS_KEY_ID or AZURE_STORAGE_ACCOUNT_NAME"),
        ("s3://bucket/x?X-Amz-Signature=secret", "expected an address without user, password and query, since it is shown in messages; what opens the store belongs into the variables of its client, such as AWS_ACCESS_KEY_ID or AZURE_STORAGE_ACCOUNT_NAME"),
        ("s4://bucket/x", "expected a folder, or an address that begins with one of s3://, gs://, abfs://, file://, got s4://"),
        ("s3:///x", "expected an address such as s3://bucket/proofbook, of letters, digits and . _ - + =, got s3:///x"),
        ("s3://bucket/../x", "expected an address such as s3://bucket/proofbook, of letters, digits and . _ - + =, got s3://bucket/../x"),
        ("s3://bucket/*", "expected an address such as s3://bucket/proofbook, of letters, digits and . _ - + =, got s3://bucket/*"),
        ("file://host/x", "expected an address such as file:///srv/runs, of letters, digits and . _ - + =, got file://host/x"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused_and_no_secret_is_repeated(
    given: str, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", given)
    with pytest.raises(UsageError) as raised:
        paths.outputs(tmp_path)
    assert str(raised.value) == f"PROOFBOOK_OUTPUTS: {sentence}"
    assert "secret" not in str(raised.value)


def test_each_address_has_a_copy_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def copy_of(address: str) -> Path:
        monkeypatch.setenv("PROOFBOOK_OUTPUTS", address)
        return paths.outputs(tmp_path)

    found = {copy_of(address) for address in ("s3://a/b", "s3://a/b/", "s3://a-b", "S3://a/b", "gs://a/b")}
    assert len(found) == 3
    assert len({folder.parent for folder in found}) == 1


def test_ids_of_runs_are_long_enough_for_machines_that_know_nothing_of_each_other(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {folders.new_run_id() for _ in range(2000)}
    assert len(names) == 2000 and {len(name) for name in names} == {29}
    monkeypatch.delenv("PROOFBOOK_OUTPUTS")
    assert len(folders.new_run_id()) == 21


def test_runs_that_begin_in_the_same_second_are_in_the_order_in_which_they_began() -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    begun = [
        folders.id_at(start + dt.timedelta(microseconds=n)) for n in (0, 20, 900, 500_000, 999_999, 1_000_000)
    ]
    assert begun == sorted(set(begun)) and [name[:17] for name in begun[:5]] == ["20260101T000000Z-"] * 5


def test_commands_read_a_run_that_only_the_store_has(store: Path, workspace: Path, tmp_path: Path) -> None:
    here = add(workspace)
    assert asking.ask("push").out == f"sent staging/{RUN}\n"
    assert asking.ask("push").out == f"nothing waits: file://{store} has all runs that are here\n"
    moved_away(here)
    listed = asking.ask("history", "--json")
    assert [(item["run_id"], item["verdict"]) for item in json.loads(listed.out)] == [(RUN, "fail")]
    assert sorted(path.name for path in here.iterdir()) == [stored.MARK, "run.json"]
    assert asking.ask("verify", RUN).code == 1  # there is no evidence, and it looked at all of the run
    assert (here / "report.html").exists()
    assert asking.ask("show", "--json", RUN).code == 0
    assert asking.ask("due", "staging", "--every", "1h").code == 5
    assert "overdue: the last finished run ended" in asking.ask("due", "staging", "--every", "1h").out
    assert asking.ask("compare", RUN, RUN).code == 0
    assert asking.ask("accept", RUN, "x", "--by", "me", "--until", "2099-01-01", "--why", "known").code == 0
    assert (store / "staging" / "known-issues.json").is_file()


def test_runs_of_a_folder_are_brought_into_a_store(store: Path, workspace: Path, tmp_path: Path) -> None:
    here = add(workspace)
    shutil.move(here.parent.parent, tmp_path / "outputs")
    old = tmp_path / "outputs" / "staging" / RUN
    assert asking.ask("push", str(old)).out == f"sent staging/{RUN}\n"
    assert (store / "staging" / RUN / "run.json").read_bytes() == (old / "run.json").read_bytes()
    assert asking.ask("push", str(old)).out == f"nothing waits: file://{store} has all runs that are here\n"


def test_what_is_pruned_is_pruned_in_the_store(store: Path, workspace: Path) -> None:
    for number in range(1, 5):
        add(workspace, RUN[:-1] + str(number), verdict="inconclusive")
    assert len(asking.ask("push").out.splitlines()) == 4
    assert asking.ask("prune", "--keep", "1", "--yes").code == 0
    assert [path.name for path in (store / "staging").iterdir() if any(path.iterdir())] == [RUN[:-1] + "4"]


def test_a_store_that_takes_nothing_costs_no_run_and_says_where_it_is(
    store: Path, workspace: Path, tmp_path: Path
) -> None:
    here = add(workspace)
    shutil.rmtree(store)
    store.write_text("a file, where a folder is wanted")
    done = asking.ask("push")
    assert done.code == 4 and done.last.startswith(f"file://{store} could not be used: ")
    assert done.last.endswith(
        f"; what was not sent stays in {paths.shown(here)}; send it: proofbook push {RUN}"
    )
    assert done.err.count("\n") == 1 and here.is_dir()
    store.unlink()
    store.mkdir()
    assert asking.ask("push", RUN).out == f"sent staging/{RUN}\n"


def test_pushing_without_a_store_and_forcing_everything_are_refused(
    store: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        asking.ask("push", "--force").last
        == "--force replaces what somebody else wrote, so it takes the runs that are meant"
    )
    monkeypatch.delenv("PROOFBOOK_OUTPUTS")
    told = asking.ask("push")
    assert told.code == 2
    assert (
        told.last
        == "expected an object store to send runs to, found none; name it: PROOFBOOK_OUTPUTS=s3://BUCKET/PREFIX"
    )


def test_a_change_is_told_once_whichever_machine_sees_it(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = with_notebooks(tmp_path)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(place))
    heard = tmp_path / "heard.jsonl"
    told.state_environment(place, "staging", f'[notify]\n[[notify.command]]\nrun = ["/bin/sh", "-c", "cat >> {heard}; echo >> {heard}"]\n')  # fmt: skip
    asked, said = Validation.load("staging", base=place), list[str]()
    seen = (("here", "pass"), ("there", "fail"), ("here", "fail"), ("elsewhere", "fail"), ("there", "pass"))
    for number, (machine, verdict) in enumerate(seen):
        monkeypatch.setenv("PROOFBOOK_SCRATCH", str(tmp_path / machine))
        with afterwards.followed(asked, base=place, say=said.append) as after:
            add(place, RUN[:-1] + str(number), verdict)
        assert (after.not_stored, said) == ("", [])
    with afterwards.followed(asked, base=place, say=said.append):
        add(place, RUN[:-1] + "9", "fail")
        # Somebody else ends a run meanwhile, which is brought here after ours was written.
        with monkeypatch.context() as other:
            other.setenv("PROOFBOOK_SCRATCH", str(tmp_path / "other"))
            add(place, RUN[:-1] + "8", "pass")
            object_store.send(base=place)
    notices = [json.loads(line) for line in heard.read_text().splitlines() if line]
    assert [(item["was"], item["now"]) for item in notices] == [
        ("pass", "fail"),
        ("fail", "pass"),
        ("pass", "fail"),
    ]
    assert [item["run_id"] for item in json.loads(asking.ask("history", "--json").out)] == [RUN[:-1] + number for number in "0123489"]  # fmt: skip


def test_a_store_where_nothing_moves_is_given_up(
    store: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "fsspec.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(slow), prepend=":")
    monkeypatch.setenv(object_store.PATIENCE_VARIABLE, "1")
    with pytest.raises(
        CouldNotLook, match=r"does not answer: nothing moved for 1 s \(PROOFBOOK_STORE_TIMEOUT_S\)"
    ):
        object_store.refresh(base=workspace)
    for wrong in ("0", "soon", "1e9"):
        monkeypatch.setenv(object_store.PATIENCE_VARIABLE, wrong)
        with pytest.raises(UsageError, match="expected seconds, at least 1, got"):
            object_store.refresh(base=workspace)
