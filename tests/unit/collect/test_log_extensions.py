"""Log sources and log formats of other packages: used like ours, and named where they cannot be used."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import proofbook
from foreign import install, packages

from proofbook.collect.logs import formats
from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.reader import read_logs
from proofbook.collect.logs.recorder import record
from proofbook.config import environment
from proofbook.config.log_formats import LOG_FORMATS, LogFormat
from proofbook.config.log_uri import LOG_SOURCES, usages
from proofbook.config.sources import LogSource

NOW = dt.datetime(2026, 3, 12, 18, 0, tzinfo=dt.UTC)
SOURCES, FORMATS = "proofbook.log_sources", "proofbook.log_formats"
KINDS = """
from proofbook.config.log_uri import LogSourceKind

def buffer(rest):
    if not rest.isidentifier():
        raise ValueError("a buffer's name is a word" if rest else "")
    return {"buffer": rest}

MEMORY = LogSourceKind(usage="memory:BUFFER", parse=buffer, entries="memory_reader:entries")
PAGED = LogSourceKind(usage="paged:BUFFER", parse=buffer, server="memory_reader:Paged")
PRINTED = LogSourceKind(usage="printed:BUFFER", parse=buffer, commands="memory_reader:commands")
"""
READER = """
import datetime as dt
import math
import sys

from proofbook.collect.logs.sources import Command, QuotaExhausted

def at(place, request, number):
    moment = request.until - dt.timedelta(minutes=30 - number)
    return {"timestamp": moment.isoformat(), "severity": "ERROR", "message": f"{place.parts['buffer']} {number}"}

def entries(place, request):
    for number in range(20):
        yield at(place, request, number)
    yield f"{request.until.isoformat()} WARNING a line"

class Paged:
    page, largest, shown = 6, math.inf, "paged"
    busy = True

    def __init__(self, place, request):
        self.entries = [at(place, request, number) for number in range(20)]

    def ask(self, query):
        if self.busy:
            self.busy = False
            raise QuotaExhausted(retry_after_s=0)
        return [item for item in self.entries if query.since <= self.when(item) <= query.until][: query.most]

    def when(self, entry):
        return dt.datetime.fromisoformat(entry["timestamp"])

def commands(place, request):
    text = f"{request.since.isoformat()} INFO {place.parts['buffer']}"
    return [Command(words=[sys.executable, "-c", f"print({text!r})"])]
"""
MEMORY = {
    "entries": {
        SOURCES: {"memory": "memory_kinds:MEMORY", "paged": "memory_kinds:PAGED", "printed": "memory_kinds:PRINTED"}
    },
    "modules": {"memory_kinds.py": KINDS, "memory_reader.py": READER},
}  # fmt: skip
BREWERY = r"""
from proofbook.config.log_formats import ColumnFormat, JsonFormat, TextFormat

TEXT = TextFormat(
    pattern=r"^(?P<timestamp>\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d,\d{3}) \| *(?P<severity>\S+) *\| (?P<service>[^|]+) \| (?P<body>.*)",
    time_form="%d.%m.%Y %H:%M:%S,%g",
    severities={"sud!": "ERROR"},
)
YEARLESS = TextFormat(pattern=r"^at (?P<timestamp>\d+/\d+ \d+:\d+:\d+): (?P<body>.*)", time_form="%d/%m %H:%M:%S", has_year=False, utc=True)
OBJECTS = JsonFormat(
    all_keys=("zeit", "stufe"),
    places={"timestamp": ("zeit",), "severity": ("stufe",), "body": ("inhalt.satz",), "service": ("kessel",)},
    severities={"1": "INFO", "9": "CRITICAL"},
    time_form="%d.%m.%Y %H:%M:%S %z",
)
BOXED = JsonFormat(all_keys=("zeile", "gelesen"), wraps=("zeile", "gelesen"))
ROWS = ColumnFormat(
    names=("zeit", "kessel", "satz", "stufe"),
    delimiter=";",
    places={"timestamp": "zeit", "body": "satz", "severity": "stufe", "instance": "kessel"},
    severities={"sud!": "ERROR"},
)
"""
FORMATS_OF_IT = {
    "entries": {
        FORMATS: {
            "brewery": "brewery:TEXT",
            "brewery-yearless": "brewery:YEARLESS",
            "brewery-json": "brewery:OBJECTS",
            "brewery-boxed": "brewery:BOXED",
            "brewery-rows": "brewery:ROWS",
        }
    },
    "modules": {"brewery.py": BREWERY},
}
BREWED = """12.03.2026 14:05:06,123 | SUD!| Kessel 4 | too hot
  by 12 degrees
12.03.2026 14:05:07,000 | INFO | Kessel 1 | stirring
"""


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    with packages(tmp_path / "packages") as folder:
        yield folder


def read(folder: Path, **source: Any) -> Reading:
    log = LogSource.model_validate({"name": "log", **source})
    return read_logs(log, base=folder, to=folder / "read.parquet", now=NOW)


def read_text(folder: Path, text: str, **source: Any) -> Reading:
    (folder / "log").write_text(text)
    return read(folder, file="log", **source)


# Log sources --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "bodies"),
    [
        ("memory:api", [*(f"api {number}" for number in range(20)), "a line"]),
        ("paged:api", [f"api {number}" for number in range(20)]),
        ("printed:api", ["api"]),
    ],
)
def test_a_log_of_another_packages_kind_is_read(
    source: str, bodies: list[str], installed: Path, tmp_path: Path
) -> None:
    install(installed, "memory", **MEMORY)
    reading = read(tmp_path, source=source)
    assert (reading.problem, reading.unparsed) == ("", 0)
    assert reading.entries["body"].tolist() == bodies


def test_an_environment_names_such_a_log_and_is_checked_without_loading_its_reader(
    installed: Path, tmp_path: Path
) -> None:
    install(installed, "memory", **MEMORY)
    path = tmp_path / "mine.toml"
    path.write_text('[[log]]\nname = "api"\nsource = "memory:api"\n')
    assert environment.load(str(path), base=tmp_path).logs[0].source == "memory:api"
    assert "memory_kinds" in sys.modules and "memory_reader" not in sys.modules
    path.write_text('[[log]]\nname = "api"\nsource = "memory:a b"\n')
    with pytest.raises(
        Exception, match=r"log\[0\].source: expected memory:BUFFER: a buffer's name is a word"
    ):
        environment.load(str(path), base=tmp_path)
    path.write_text('[[log]]\nname = "api"\nsource = "memroy:api"\n')
    with pytest.raises(Exception, match=r"memory:BUFFER, .*got 'memroy:api'; did you mean memory:\?$"):
        environment.load(str(path), base=tmp_path)


def kind(**code: str) -> dict[str, Any]:
    """A package whose log source `odd` is that, with a function that lies in the same module."""
    return {"entries": {SOURCES: {"odd": "odd:ODD"}}, "modules": {"odd.py": code["code"]}}


def odd(way: str, body: str, *, parse: str = "lambda rest: {}") -> str:
    return f"""
import math
from proofbook.config.log_uri import LogSourceKind

def read(place, request):
{body}

class Server:
    page, largest, shown = 10, math.inf, "odd"
    def __init__(self, place, request):
        pass
    def ask(self, query):
        return self.answer
    def when(self, entry):
        return None

ODD = LogSourceKind(usage="odd:", parse={parse}, {way}=read)
"""


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise RuntimeError('no licence')", "it cannot be imported (RuntimeError: no licence)"),
        ("ODD = 3", "expected a LogSourceKind, got int"),
        (
            "from proofbook.config.log_uri import LogSourceKind\nODD = LogSourceKind(usage='odd:', parse=dict)",
            "it cannot be imported (ValueError: expected one of entries, server, commands for odd:, got none)",
        ),
        (odd("entries", "    return [3]"), "expected entries as JSON objects or as lines of text, got int"),
        (odd("entries", "    return None"), "it cannot be read (TypeError: 'NoneType' object is not iterable)"),
        (odd("entries", "    raise KeyError('buffer')"), "it cannot be read (KeyError: 'buffer')"),
        (
            odd("entries", "    yield {}\n    raise OSError('gone')"),
            "it cannot be read (OSError: gone)",
        ),
        (
            odd("server", "    Server.answer = ['x']\n    return Server(place, request)"),
            "expected a list of entries as JSON objects, got str",
        ),
        (
            odd("server", "    Server.answer = [{}] * 10\n    return Server(place, request)"),
            "it cannot be read (AttributeError: 'NoneType' object has no attribute 'astimezone')",
        ),
        (odd("commands", "    return ['ls']"), "expected commands, got str"),
        (
            odd("entries", "    return []", parse="lambda rest: 1 / 0"),
            "it cannot parse a short name (ZeroDivisionError: division by zero)",
        ),
        (
            odd("entries", "    return []", parse="lambda rest: rest"),
            "expected the parts of a short name by their names, got str",
        ),
        (
            odd("entries", "    return []").replace("=read)", "='odd:nowhere')"),
            "it cannot be read (AttributeError: module 'odd' has no attribute 'nowhere')",
        ),
    ],
)  # fmt: skip
def test_a_kind_that_cannot_be_used_is_named_and_the_other_logs_are_read(
    code: str, why: str, installed: Path, tmp_path: Path
) -> None:
    install(installed, "odd", **kind(code=code))
    (tmp_path / "good").write_text("2026-03-12T12:00:00Z INFO served\n")
    path = tmp_path / "mine.toml"
    path.write_text('[[log]]\nname = "odd"\nsource = "odd:x"\n[[log]]\nname = "good"\nsource = "good"\n')
    logs = environment.load(str(path), base=tmp_path).logs
    tables, problems = record(logs, [], base=tmp_path, folder=tmp_path / "out")
    assert problems == [f"log source 'odd' (odd:ODD of odd): {why}"]
    about = tables["log_sources"]
    assert not isinstance(about, Path) and about["kept"].tolist() == [0, 1]


def test_a_name_that_is_taken_stays_ours_and_is_said_where_logs_are_read(
    installed: Path, tmp_path: Path
) -> None:
    install(installed, "second", entries={SOURCES: {"gcp": "second:GCP"}}, modules={"second.py": ""})
    (tmp_path / "good").write_text("2026-03-12T12:00:00Z INFO served\n")
    _, problems = record([LogSource(name="good", file="good")], [], base=tmp_path, folder=tmp_path / "out")
    assert problems == [
        "log source 'gcp' (second:GCP of second): the name is taken by proofbook.collect.logs.servers:GCP; give it another"
    ]
    assert usages()[0] == "gcp:PROJECT/SERVICE"


def test_more_entries_than_are_wanted_are_not_read_and_that_is_said(installed: Path, tmp_path: Path) -> None:
    install(installed, "memory", **MEMORY)
    reading = read(tmp_path, source="memory:api", limit=5)
    assert (reading.kept, reading.note) == (5, "memory: holds more than 5 entries; the others were not read")


# Log formats --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_text_format_of_another_package_is_recognised_and_read(installed: Path, tmp_path: Path) -> None:
    before = read_text(tmp_path, BREWED, utc_offset="+01:00")
    assert before.shape == "text" and before.entries["service_name"].isna().all()
    install(installed, "brewery", **FORMATS_OF_IT)
    LOG_FORMATS.__dict__.pop("_places")
    reading = read_text(tmp_path, BREWED, utc_offset="+01:00")
    assert (reading.problem, reading.shape, reading.unparsed) == ("", "brewery", 0)
    entries = reading.entries
    assert entries["body"].tolist() == ["too hot\n  by 12 degrees", "stirring"]
    assert entries["severity_text"].tolist() == ["ERROR", "INFO"]
    assert entries["service_name"].tolist() == ["Kessel 4", "Kessel 1"]
    assert [str(at) for at in entries["timestamp"]] == ["2026-03-12 13:05:06.123000+00:00", "2026-03-12 13:05:07+00:00"]  # fmt: skip
    assert "set utc_offset" in read_text(tmp_path, BREWED).problem


def test_a_format_of_columns_of_another_package_names_those_of_a_file_without_a_header(
    installed: Path, tmp_path: Path
) -> None:
    install(installed, "brewery", **FORMATS_OF_IT)
    reading = read_text(
        tmp_path, '2026-03-12T14:05:06Z;4;"too hot;\nby 12";SUD!\n2026-03-12T14:05:07Z;1;stirring;INFO\n'
    )
    assert (reading.problem, reading.shape) == ("", "text in brewery-rows")
    entries = reading.entries
    assert entries["body"].tolist() == ["too hot;\nby 12", "stirring"]
    assert entries["severity_text"].tolist() == ["ERROR", "INFO"]
    assert entries["service_instance_id"].tolist() == ["4", "1"]


def test_a_form_of_time_without_a_year_is_of_the_last_year_that_puts_it_before_now(
    installed: Path, tmp_path: Path
) -> None:
    install(installed, "brewery", **FORMATS_OF_IT)
    reading = read_text(tmp_path, "at 11/3 10:00:00: mashed\nat 31/12 10:00:00: boiled\n")
    assert [str(at) for at in reading.entries["timestamp"]] == ["2026-03-11 10:00:00+00:00", "2025-12-31 10:00:00+00:00"]  # fmt: skip


@pytest.mark.slow
def test_a_json_format_of_another_package_is_recognised_also_inside_its_wrapper(
    installed: Path, tmp_path: Path
) -> None:
    install(installed, "brewery", **FORMATS_OF_IT)
    items = [
        {"zeit": f"12.03.2026 14:05:0{number} +0100", "stufe": level, "inhalt": {"satz": text}, "kessel": "4"}
        for number, (level, text) in enumerate([(1, "stirring"), (9, "on fire"), ("error", "too hot")])
    ]
    plain = "".join(json.dumps(item) + "\n" for item in items)
    boxed = "".join(
        json.dumps({"zeile": json.dumps(item), "gelesen": "2026-03-12T15:00:00Z"}) + "\n" for item in items
    )
    for text, shape in ((plain, "brewery-json"), (boxed, "brewery-json in brewery-boxed")):
        reading = read_text(tmp_path, text)
        assert (reading.problem, reading.shape, reading.unparsed) == ("", shape, 0)
        entries = reading.entries
        assert entries["severity_text"].tolist() == ["INFO", "CRITICAL", "ERROR"]
        assert entries["body"].tolist() == ["stirring", "on fire", "too hot"]
        assert str(entries["timestamp"][0]) == "2026-03-12 13:05:00+00:00"
        assert set(entries["service_name"]) == {"4"}


def test_a_wrapper_that_is_named_holds_a_format_that_is_found(tmp_path: Path) -> None:
    text = '2026-03-12T12:00:00Z stdout F {"level": "error", "msg": "x"}\n'
    assert read_text(tmp_path, text, format="container").shape == "json in container"


def test_an_environment_names_such_a_format_and_an_unknown_one_comes_with_the_nearest(
    installed: Path, tmp_path: Path
) -> None:
    install(installed, "brewery", **FORMATS_OF_IT)
    path = tmp_path / "mine.toml"
    for key in ("format", "shape"):
        path.write_text(f'[[log]]\nname = "api"\nfile = "log"\n{key} = "brewery"\n')
        assert environment.load(str(path), base=tmp_path).logs[0].format_name == "brewery"
    assert "brewery" not in sys.modules
    path.write_text('[[log]]\nname = "api"\nfile = "log"\nformat = "brewey"\n')
    with pytest.raises(
        Exception, match=r"log\[0\].format: expected auto, .*'brewey'; did you mean brewery\?"
    ):
        environment.load(str(path), base=tmp_path)


TEXT_OF = "from proofbook.config.log_formats import JsonFormat, TextFormat\nODD = "


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise RuntimeError('no licence')", "it cannot be imported (RuntimeError: no licence)"),
        ("ODD = 'text'", "expected a LogFormat, got str"),
        (TEXT_OF + "TextFormat()", "expected a pattern, got none"),
        (TEXT_OF + "TextFormat(pattern='(?P<body>x)')", "expected a pattern with the group timestamp, and others only of severity, body, "),
        (TEXT_OF + "TextFormat(pattern='(?P<timestamp>x)(?P<colour>y)')", "expected a pattern with the group timestamp"),
        (TEXT_OF + "TextFormat(pattern='(?P<timestamp>x(?!y))')", "expected a regular expression (RE2's: no lookaround, no backreferences), got '(?P<timestamp>x(?!y))'"),
        (TEXT_OF + "TextFormat(pattern='(?P<timestamp>x)', time_form='%Q')", "expected a form of time for strptime, got '%Q'"),
        (TEXT_OF + "TextFormat(pattern='(?P<timestamp>x)', severities={'1': 'BAD'})", "expected severities of TRACE, DEBUG"),
        (TEXT_OF + "JsonFormat(any_key=('a',), places={'colour': ('c',)})", "expected places of timestamp, severity"),
    ],
)  # fmt: skip
def test_a_format_that_cannot_be_used_is_named_and_logs_are_read_without_it(
    code: str, why: str, installed: Path, tmp_path: Path
) -> None:
    install(installed, "odd", entries={FORMATS: {"odd": "odd:ODD"}}, modules={"odd.py": code})
    (tmp_path / "good").write_text("2026-03-12T12:00:00Z INFO served\n")
    stated = read(tmp_path, file="good", format="odd").problem
    assert stated.startswith(f"log format 'odd' (odd:ODD of odd): {why}") and "\n" not in stated
    tables, problems = record(
        [LogSource(name="good", file="good")], [], base=tmp_path, folder=tmp_path / "out"
    )
    assert problems == [stated]
    about = tables["log_sources"]
    assert not isinstance(about, Path) and about["shape"].tolist() == ["text"]


# Ours ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOG_FORMATS.names())
def test_ours_keep_the_rules_that_others_must_keep(name: str) -> None:
    found: LogFormat = LOG_FORMATS.get(name)
    assert formats._problem_of(found) == ""


@pytest.mark.slow
def test_names_are_listed_and_files_are_checked_without_loading_what_reads_logs() -> None:
    heavy = ("ibis", "httpx", "pandas", "pyarrow", "numpy", "proofbook.collect.session", "proofbook.collect.logs.reader")  # fmt: skip
    code = f"""
import sys
from proofbook.config.log_formats import LOG_FORMATS, checked_name
from proofbook.config.log_uri import LOG_SOURCES, problem
print(*LOG_SOURCES.names(), *LOG_FORMATS.names())
assert not [name for name in sys.modules if name.startswith("proofbook.collect")], "listing imports"
assert "duckdb" not in sys.modules
for text in ("gcp:a/b", "loki:http://h{{app}}", "docker:a", "lokl:x"):
    problem(text)
checked_name("json")
from proofbook.config.environment import Environment
found = [name for name in {heavy!r} if name in sys.modules]
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"gcp", "loki", "cloud-logging", "text"} <= set(done.stdout.split())


@pytest.mark.slow
def test_the_command_line_reads_lists_and_names_what_others_bring(tmp_path: Path, workspace: Path) -> None:
    folder = tmp_path / "packages"
    install(folder, "memory", **MEMORY)
    install(folder, "brewery", **FORMATS_OF_IT)
    install(
        folder,
        "odd",
        entries={FORMATS: {"odd": "odd:ODD"}},
        modules={"odd.py": "raise RuntimeError('no licence')"},
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return proofbook(*arguments, cwd=tmp_path, workspace=workspace, PYTHONPATH=str(folder))

    (tmp_path / "log").write_text(BREWED)
    said = "log format 'odd' (odd:ODD of odd): it cannot be imported (RuntimeError: no licence)\n"
    done = run("logs", "log", "--format", "brewery", "--utc-offset", "+01:00", "--json")
    assert done.returncode == 0 and done.stderr == said, done.stderr
    assert json.loads(done.stdout)["counts"] == {"ERROR": 1, "INFO": 1}
    done = run("logs", "memory:api", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["kept"] == 21
    done = run("logs", "--list")
    assert done.returncode == 0 and done.stderr == said
    sources, names = done.stdout.splitlines()
    assert "loki:URL{…}, memory:BUFFER, " in sources and sources.endswith(", -")
    assert "text, brewery" in names


def test_every_source_of_ours_can_be_loaded() -> None:
    assert [name for name in LOG_SOURCES.names() if LOG_SOURCES.get(name)] == ["gcp", "k8s", "docker", "journald", "loki"]  # fmt: skip
