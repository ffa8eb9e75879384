"""Collectors of other packages: stated in the environment, planned, run and written like ours, and named where they break."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign import install, packages

from proofbook.collect import phases, planning, registry
from proofbook.collect.session import Session
from proofbook.config import environment
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.errors import ConfigurationError, MissingSecret
from proofbook.evidence import merge, store
from proofbook.judge.findings import Finding, Verdict
from proofbook.validation import Assessment

GROUP = "proofbook.collectors"
CASE = Case(title="t")
KIND = """
from proofbook.config.fields import SecretReference
from proofbook.config.probes import Collector, Probe
from proofbook.config.references import TextOrReference

class Door(Probe):
    address: TextOrReference
    opens: int = 3
    key: SecretReference | None = None
    headers: dict[str, TextOrReference] = {}

    def of_before(self):
        return self.model_copy(update={"opens": 1})

COLLECTOR = Collector(settings=Door, tables="door_work:TABLES", steps="door_work:steps")
"""
WORK = """
import pandas as pd
from proofbook.collect.registry import Step
from proofbook.errors import CouldNotLook
from proofbook.evidence.table import Column, Merge, Table

DOORS = Table("doors", row="one door", columns=(Column("probe", "str", "its name"), Column("phase", "str", "when"), Column("open", "bool", "whether it opened")))
COLOURS = Table("colours", row="the colour of a door", merge=Merge.LATEST, columns=(Column("colour", "str", "its colour"),))
TABLES = (DOORS, COLOURS)

def steps(task):
    async def open_all(session):
        rows = []
        for _ in range(task.probe.opens):
            async with session.acquire("doors opened"):
                rows.append((task.probe.name, task.phase, session.value(task.probe.address) == "here"))
        return {"doors": DOORS.frame(rows)}

    async def look(session):
        return {"colours": COLOURS.frame([("round" if task.is_round else "once",)])}

    yield Step(says=f"{task.probe.opens} doors", requests=task.probe.opens, run=open_all)
    yield Step(says="its colour", seconds=2.0, run=look)
"""


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    with packages(tmp_path / "packages") as folder:
        yield folder


@pytest.fixture
def doors(installed: Path) -> Path:
    install(
        installed,
        "doors",
        entries={GROUP: {"door": "door_kind:COLLECTOR"}},
        modules={"door_kind.py": KIND, "door_work.py": WORK},
    )
    return installed


def stated(*probes: dict[str, Any], **more: Any) -> Environment:
    pace = {"per_s": 1000, "concurrency": 20}
    return Environment.model_validate({"pace": pace, "probe": list(probes), **more})


def door(**more: Any) -> dict[str, Any]:
    return {"kind": "door", "address": "here", **more}


def record(where: Environment, folder: Path, phase: str = "after") -> store.Evidence:
    asyncio.run(phases.record(where, CASE, phase, folder=folder, base=folder, say=lambda _: None))
    return store.read(folder)


def judged(where: Environment, recorded: store.Evidence) -> dict[str, Finding]:
    return {item.id: item for item in Assessment.of(where, CASE, recorded).judge_all()}


# In the environment -----------------------------------------------------------------------------------------------------


def test_a_probe_is_checked_by_the_settings_of_its_collector_whose_work_is_not_loaded_for_that(
    doors: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[probe]]\nkind = "door"\naddress = "here"\nopens = 5\n')
    found = environment.load(str(path), base=tmp_path).probes[0]
    assert (found.name, getattr(found, "opens", 0)) == ("door", 5)
    assert "door_kind" in sys.modules and "door_work" not in sys.modules


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('kind = "dor"\n', "probe[0]: expected kind to be door, got 'dor'; did you mean 'door'?"),
        ('kind = "window"\n', "probe[0]: expected kind to be door, got 'window'"),
        ('address = "here"\n', "probe[0]: expected kind to be door, got nothing"),
        ('kind = "door"\n', "probe[0].address: expected a value, got nothing; add it"),
        ('kind = "door"\naddress = "here"\nopens = "x"\n', "probe[0].opens: expected a whole number, got 'x'"),
        ('kind = "door"\naddress = "here"\nopen = 3\n', "probe[0].open: unknown key; did you mean 'opens'?"),
        ('kind = "door"\naddress = "here"\nkey = "hush"\n', "probe[0].key: secrets must be references"),
        ('kind = "door"\naddress = "here"\n[[probe]]\nkind = "door"\naddress = "here"\n', "expected different names in [[probe]], got 'door' twice"),
    ],
)  # fmt: skip
def test_a_probe_that_cannot_be_gets_one_sentence(
    text: str, sentence: str, doors: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"[[probe]]\n{text}")
    with pytest.raises(ConfigurationError) as raised:
        environment.load(str(path), base=tmp_path)
    assert sentence in str(raised.value) and "hush" not in str(raised.value)


def test_without_any_collector_the_sentence_says_so() -> None:
    with pytest.raises(ValueError, match="no installed package brings one"):
        stated({"kind": "grpc"})


def test_what_a_probe_names_is_read_before_anything_is_sent_and_its_secrets_are_known(
    doors: Path, tmp_path: Path
) -> None:
    where = stated(
        door(
            address={"file": "address"},
            key={"file": "key"},
            headers={"X-Key": {"env": "DOOR_HEADER"}, "X-Plain": "x"},
        )
    )
    assert [item.file or item.env for item in where.secrets()] == ["key", "DOOR_HEADER"]
    (tmp_path / "address").write_text("here")
    with pytest.raises(MissingSecret, match="probe 'door': key"):
        Session(where, base=tmp_path)


@pytest.mark.slow
def test_the_plan_its_length_and_the_work_are_the_steps(doors: Path, tmp_path: Path) -> None:
    where = stated(door(opens=100, name="front"), pace={"per_s": 50, "concurrency": 5})
    lines = planning.describe_plan(where, CASE, "after")
    assert lines == [
        "front: 100 doors",
        "front: its colour",
        "pace: at most 50 requests a second, 5 at once; 4 s if nothing fails",
    ]
    assert planning.shortest_s(where, CASE) == pytest.approx(4.0)
    began = time.monotonic()
    recorded = record(where, tmp_path)
    assert time.monotonic() - began > 99 / 50, "it does not keep the pace"
    phase = recorded.manifest.phases["after"]
    assert (phase.planned, phase.done, phase.problems) == (lines, {"doors opened": 100}, [])
    # On a busy machine it stands still at times.
    assert set(phase.tables) - {"standstills"} == {"doors", "colours", "probes"}


# Recorded and judged ----------------------------------------------------------------------------------------------------


def test_several_probes_of_a_kind_write_one_table_and_before_can_differ(doors: Path, tmp_path: Path) -> None:
    where = stated(door(name="front"), door(name="back", address="there", opens=2))
    table = record(where, tmp_path).table("doors")
    assert table is not None and table.value_counts(["probe", "open"]).to_dict() == {
        ("front", True): 3,
        ("back", False): 2,
    }
    assert {item.verdict for item in judged(where, store.read(tmp_path)).values()} == {Verdict.PASS}
    service = {"name": "a", "url": "http://127.0.0.1:1", "before_url": "http://127.0.0.1:2"}
    old = stated(door(), service=[service]).of_before()
    assert old is not None and [getattr(item, "opens", 0) for item in old.probes] == [1]


def test_rounds_of_a_watch_are_merged_as_the_tables_say(doors: Path, tmp_path: Path) -> None:
    where = stated(door())
    looks = [(number, record(where, tmp_path / str(number), planning.ROUND)) for number in (0, 1)]
    tables = merge.tables_of(looks, planned=2, every_s=5)
    assert tables["doors"]["look"].tolist() == [0, 0, 0, 1, 1, 1]
    assert tables["colours"]["colour"].tolist() == ["round"]
    assert tables["probes"]["problem"].tolist() == [""]


@pytest.mark.slow
def test_a_new_process_merges_rounds_that_another_one_recorded(doors: Path, tmp_path: Path) -> None:
    record(stated(door()), tmp_path / "0", planning.ROUND)
    code = """
import sys
from pathlib import Path
from proofbook.evidence import merge, store
print(*merge.tables_of([(0, store.read(Path(sys.argv[1])))], planned=1, every_s=5))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "0")],
        env={"PYTHONPATH": str(doors)},
        capture_output=True,
        text=True,
    )
    assert "doors" in done.stdout.split(), done.stderr


BROKEN = {
    "raise RuntimeError('no licence')": "it cannot be imported (RuntimeError: no licence)",
    "COLLECTOR = 3": "expected a Collector, got int",
}
BROKEN_WORK = {
    "raise RuntimeError('no licence')": "it cannot be planned (RuntimeError: no licence)",
    "def steps(task):\n    yield 1 / 0": "it cannot be planned (ZeroDivisionError: division by zero)",
    "def steps(task):\n    yield 'open it'": "expected a Step, got str",
    "TABLES = (3,)": "its tables cannot be used (TypeError: expected a Table, got int)",
    "async def run(session):\n    raise KeyError('handle')\ndef steps(task):\n    yield Step(says='x', run=run)": "it broke while collecting (KeyError: 'handle')",
    "async def run(session):\n    raise CouldNotLook('the door is walled up')\ndef steps(task):\n    yield Step(says='x', run=run)": "it broke while collecting (the door is walled up)",
    "async def run(session):\n    return None\ndef steps(task):\n    yield Step(says='x', run=run)": "it broke while collecting (TypeError: 'NoneType' object is not iterable)",
    "async def run(session):\n    return {'windows': DOORS.frame([])}\ndef steps(task):\n    yield Step(says='x', run=run)": "it wrote the table 'windows', and registers doors, colours",
    "async def run(session):\n    return {'doors': [3]}\ndef steps(task):\n    yield Step(says='x', run=run)": "expected the table 'doors' as a DataFrame, got list",
    "async def run(session):\n    return {'doors': DOORS.frame([]).assign(wood='oak')}\ndef steps(task):\n    yield Step(says='x', run=run)": "table 'doors', column 'wood': the table has no such column; it has probe, phase, open, look",
    "async def run(session):\n    return {'doors': pd.DataFrame({'probe': ['x']})}\ndef steps(task):\n    yield Step(says='x', run=run)": "table 'doors', column 'phase': the column is missing",
    "TABLES = (Table('health', row='x', columns=()),)": "table 'health': the name is taken by another table",
}  # fmt: skip


@contextlib.asynccontextmanager
async def serving() -> Any:
    """The URL of a server that answers 200 to /health and 404 to everything else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        status = "200 OK" if asked.startswith(b"GET /health ") else "404 Not Found"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("kind", "work", "why"),
    [
        *((code, WORK, why) for code, why in BROKEN.items()),
        *((KIND, f"{WORK}\n{code}", why) for code, why in BROKEN_WORK.items()),
    ],
)
def test_a_collector_that_breaks_is_named_and_the_rest_of_the_run_goes_on(
    kind: str, work: str, why: str, installed: Path, tmp_path: Path
) -> None:
    entries = {GROUP: {"door": "door_kind:COLLECTOR"}}
    install(installed, "doors", entries=entries, modules={"door_kind.py": kind, "door_work.py": work})

    async def go() -> tuple[Environment, list[str]]:
        said: list[str] = []
        async with serving() as url:
            where = stated(door(), service=[{"name": "a", "url": url}])
            await phases.record(where, CASE, "after", folder=tmp_path, base=tmp_path, say=said.append)
        return where, said

    where, said = asyncio.run(go())
    recorded = store.read(tmp_path)
    problems = recorded.manifest.phases["after"].problems
    assert len(problems) == 1 and "\n" not in problems[0]
    assert problems[0].startswith("collector 'door' (door_kind:COLLECTOR of doors): ") and why in problems[0]
    assert f"problem · after · {problems[0]}" in said
    assert "doors" not in recorded.manifest.phases["after"].tables
    found = judged(where, recorded)
    assert found["health-a"].verdict is Verdict.PASS
    broken = found["probe-door"]
    assert (broken.verdict, broken.reason, broken.statement) == (Verdict.ERROR, "extension", problems[0])


def test_what_a_probe_recorded_before_it_broke_is_left_out_and_that_of_another_is_not(
    installed: Path, tmp_path: Path
) -> None:
    work = WORK.replace(
        'session.value(task.probe.address) == "here"', "{'here': True}[session.value(task.probe.address)]"
    )
    entries = {GROUP: {"door": "door_kind:COLLECTOR"}}
    install(installed, "doors", entries=entries, modules={"door_kind.py": KIND, "door_work.py": work})
    where = stated(door(name="front", address="there"), door(name="back"))
    recorded = record(where, tmp_path)
    table = recorded.table("doors")
    assert table is not None and set(table["probe"]) == {"back"}
    verdicts = {name: item.verdict for name, item in judged(where, recorded).items()}
    assert verdicts == {"probe-front": Verdict.ERROR, "probe-back": Verdict.PASS}


def test_a_step_that_does_not_end_is_stopped(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "GRACE_S", 0.2)
    work = f"{WORK}\nimport asyncio\nasync def run(session):\n    await asyncio.Event().wait()\ndef steps(task):\n    yield Step(says='x', run=run)"
    entries = {GROUP: {"door": "door_kind:COLLECTOR"}}
    install(installed, "doors", entries=entries, modules={"door_kind.py": KIND, "door_work.py": work})
    (problem,) = record(stated(door()), tmp_path).manifest.phases["after"].problems
    assert problem.endswith("probe 'door': it broke while collecting (it took longer than 0 s)")


def test_names_that_are_taken_are_said_and_their_first_owner_is_used(doors: Path, tmp_path: Path) -> None:
    groups = {GROUP: {"door": "second:DOOR"}, "proofbook.websocket_dialects": {"plain": "second:PLAIN"}}
    install(doors, "second", entries=groups, modules={"second.py": ""})
    problems = record(stated(door()), tmp_path).manifest.phases["after"].problems
    assert [problem.partition("; ")[2] for problem in problems] == ["give it another"] * 2
    assert problems[0].startswith("collector 'door' (") and problems[1].startswith(
        "WebSocket dialect 'plain' (second:PLAIN of second): the name is taken by proofbook.collect."
    )
