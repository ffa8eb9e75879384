"""Environment and case files: what they can describe, and one clear sentence for what they cannot."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
from conftest import ROOT, SHORT_CASE, proofbook

from proofbook.collect.session import Session
from proofbook.config import case, environment
from proofbook.config.references import Reference, Settings
from proofbook.config.toml import as_toml
from proofbook.errors import ConfigurationError, MissingSecret, MissingValue, ProofbookError
from proofbook.judge import catalogue
from proofbook.redaction.scrubbing import scrub

SERVICE = '[[service]]\nname = "backend"\nurl = "http://127.0.0.1:1"\n'
SOCKET = SERVICE + '[[websocket]]\nname = "ws"\nservice = "backend"\nurl = "ws://127.0.0.1:1"\n'


def write(folder: Path, text: str | bytes, name: str = "mine.toml") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "mine.toml: expected at least one [[service]], [[log]] or [[probe]], got none"),
        ("a = [", "mine.toml: expected TOML, got a syntax error: Invalid value (at end of document)"),
        (
            b"title = '\xff'",
            "mine.toml: expected UTF-8 text, got byte 0xff at offset 9; save the file as UTF-8",
        ),
        (SERVICE + "critcal = true", "mine.toml: service[0].critcal: unknown key; did you mean 'critical'?"),
        (
            '[[service]]\nname = "backend"\nurl = "staging.example.com"',
            "mine.toml: service[0]: expected a URL that starts with http:// or https://, got 'staging.example.com'",
        ),
        (
            '[[service]]\nname = "backend"\nurl = "http://127.0.0.1:99999"',
            "mine.toml: service[0]: expected a port from 1 to 65535, got 'http://127.0.0.1:99999'",
        ),
        (
            '[[service]]\nname = "Back end"\nurl = "http://127.0.0.1:9999"',
            "mine.toml: service[0].name: expected a name of lower-case letters, digits and hyphens, such as staging-eu, got 'Back end'",
        ),
        ('[[service]]\nname = "backend"', "mine.toml: service[0].url: expected a value, got nothing; add it"),
        (SERVICE + "[pace]\nper_s = 0", "mine.toml: pace.per_s: expected greater than 0, got 0"),
        (
            SERVICE + 'critical = "perhaps"',
            "mine.toml: service[0].critical: expected true or false, got 'perhaps'",
        ),
        (SERVICE + SERVICE, "mine.toml: expected different names in [[service]], got 'backend' twice"),
        (
            SOCKET,
            "mine.toml: expected [login] because websocket 'ws' sends a token; add it or set token = {in = \"none\"}",
        ),
        (
            SOCKET + 'token = {in = "none"}\nsend = "hello"',
            "mine.toml: websocket[0]: expected send and expect together; without both, delivery is not measured",
        ),
        (
            '[[log]]\nname = "a"\nfile = "x"\ncommand = ["y"]',
            "mine.toml: log[0]: expected one of source, file, command, engine, got file and command",
        ),
        (SERVICE + "[login]\nuser = 'x'", "mine.toml: login: expected either token or url, got neither"),
    ],
)
def test_an_environment_that_cannot_be_gets_one_sentence(
    in_folder: Path, text: str | bytes, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        environment.load(write(in_folder, text), base=in_folder)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "mine.toml: expected a title, or a [[fix]] that has one, got neither"),
        (
            'title = "t"\n[[fix]]\nid = "a"\ntitle = "b"\n[[fix.symptom]]\nlog = "("',
            "mine.toml: fix[0].symptom[0].log: expected a regular expression (RE2's: no lookaround, no backreferences), got '(' (missing ): ()",
        ),
        (
            'title = "t"\n[[fix]]\nid = "a"\ntitle = "b"\n[[fix.symptom]]\nlog = "x"\nexamples = ["y"]',
            "mine.toml: fix[0].symptom[0]: expected 'x' to match the example 'y', but it does not",
        ),
        (
            'title = "t"\n[[fix]]\nid = "a"\ntitle = "b"\n[[fix.symptom]]\nlog = "x"\nnear_misses = ["xy"]',
            "mine.toml: fix[0].symptom[0]: expected 'x' not to match the near-miss 'xy', but it does",
        ),
        (
            'title = "t"\n[[fix]]\nid = "a"\ntitle = "b"\n[[fix.symptom]]\nid = "q"',
            "mine.toml: fix[0].symptom[0]: expected one of log, close_code, http_status, refused_user, got none",
        ),
        (
            'title = "t"\n[[fix]]\nid = "a"\ntitle = "b"\npatch = "no.patch"\n[[fix.symptom]]\nlog = "x"',
            "mine.toml: fix[0].patch: expected a file, found nothing at no.patch",
        ),
        (
            'title = "t"\n[[risk]]\ntitle = "r"\nstatus = "accepted"',
            "mine.toml: risk[0]: expected an accepted risk to name owner and until, got owner='', until=None",
        ),
        (
            'title = "t"\n[budgets]\nlatency_ratio = 1',
            "mine.toml: budgets.latency_ratio: expected greater than 1, got 1",
        ),
        (
            'title = "t"\n[budgets]\nconfidence = 1',
            "mine.toml: budgets.confidence: expected less than 1, got 1",
        ),
        (
            'title = "t"\n[targets]\nhealth = 95',
            "mine.toml: targets.health: expected less than 1, got 95; did you mean 0.95?",
        ),
        (
            'title = "t"\n[targets]\nconnection = 99.9',
            "mine.toml: targets.connection: expected less than 1, got 99.9; did you mean 0.999?",
        ),
        (
            'title = "t"\n[targets]\nhealth = 100',
            "mine.toml: targets.health: expected less than 1, got 100",
        ),
        (
            'title = "t"\n[deployment]\ntime = 2026-01-01T00:00:00',
            "mine.toml: deployment.time: expected a time with a zone such as 2026-01-31T12:00:00Z, got '2026-01-01T00:00:00'",
        ),
    ],
)
def test_a_case_that_cannot_be_gets_one_sentence(in_folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        case.load(write(in_folder, text), base=in_folder)
    assert str(raised.value) == sentence


def test_a_case_that_speaks_of_another_system_is_refused(in_folder: Path) -> None:
    where = environment.load(write(in_folder, SERVICE), base=in_folder)
    what = case.load(
        write(
            in_folder,
            'title = "t"\n[[fix]]\nid = "a"\ntitle = "b"\n[[fix.symptom]]\nclose_code = 1011\n[[fix.symptom]]\nlog = "x"',
            "case.toml",
        ),
        base=in_folder,
    )
    with pytest.raises(ConfigurationError) as raised:
        catalogue.declare(where, what)
    assert "to have a [[websocket]], it has none" in str(raised.value)
    assert "to have a [[log]], it has none" in str(raised.value)


def test_an_unknown_check_in_the_case_names_the_nearest(in_folder: Path) -> None:
    where = environment.load(write(in_folder, SERVICE), base=in_folder)
    what = case.load(
        write(in_folder, 'title = "t"\n[checks.health-bakend]\nrequired = false', "case.toml"), base=in_folder
    )
    with pytest.raises(ProofbookError, match="did you mean 'health-backend'"):
        catalogue.declare(where, what)


SHORT = """
[[service]]
name = "backend"
url = "https://api-staging.example.com"
ws = "/ws"
token = { env = "STAGING_JWT" }
logs = "gcp:example-staging/backend"
"""


def test_a_service_says_in_short_what_the_long_tables_say(in_folder: Path) -> None:
    short = environment.load(write(in_folder, SHORT), base=in_folder)
    long = environment.load(
        write(
            in_folder,
            """
            [[service]]
            name = "backend"
            url = "https://api-staging.example.com"
            [[websocket]]
            service = "backend"
            path = "/ws"
            [login]
            token = { env = "STAGING_JWT" }
            [[log]]
            name = "backend"
            service = "backend"
            source = "gcp:example-staging/backend"
            """,
        ),
        base=in_folder,
    )
    assert short.in_full() == long
    what = case.load(write(in_folder, SHORT_CASE, "case.toml"), base=in_folder)
    assert what.title == "Recursion in asyncio.sleep" and what.fixes[0].id == "recursion-in-asyncio-sleep"
    declared = catalogue.declare(short, what)
    assert {"websocket-connection", "websocket-1011-gone", "log-recursionerror-gone"} <= declared.keys()
    # What is not stated is not claimed, and said not to be.
    assert "websocket-delivery" not in declared
    assert catalogue.not_measured(short, what) == ["Delivery over ws is not measured: state send and expect."]


@pytest.mark.parametrize(
    "short", [SHORT, SERVICE + 'ws = { path = "/ws", send = "{id}", expect = { regex = "{id}" } }']
)
def test_what_is_explained_in_full_means_the_same_when_it_is_read_again(in_folder: Path, short: str) -> None:
    where = environment.load(write(in_folder, short), base=in_folder)
    again = environment.load(write(in_folder, as_toml(where.in_full()), "again.toml"), base=in_folder)
    assert again.model_copy(update={"name": "mine"}) == where.in_full()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SHORT.replace('"/ws"', '"ws"'), "service[0].ws: expected a path that starts with /, got 'ws'"),
        (
            SHORT.replace('{ env = "STAGING_JWT" }', '"eyJhbGciOi-a-real-token"'),
            'service[0].token: secrets must be references: { env = "NAME" } or { file = "path" }; the written value is not used, and not shown',
        ),
        (
            SHORT.replace('{ env = "STAGING_JWT" }', "4711"),
            'service[0].token: secrets must be references: { env = "NAME" } or { file = "path" }; the written value is not used, and not shown',
        ),
        (
            SHORT.replace("gcp:example-staging/backend", "gcp:example-staging"),
            "service[0].logs: expected gcp:PROJECT/SERVICE, got 'gcp:example-staging'",
        ),
        (
            SHORT.replace("gcp:example-staging/backend", "loki:http://me:secret-word@host{app}"),
            "service[0].logs: expected loki:URL{…}: no password belongs in it; set LOKI_USERNAME and LOKI_PASSWORD, or LOKI_BEARER_TOKEN",
        ),
        (
            SHORT.replace("gcp:example-staging/backend", "splunk:main"),
            "service[0].logs: expected gcp:PROJECT/SERVICE, k8s:NAMESPACE/SELECTOR, docker:CONTAINER, journald:UNIT, loki:URL{…}, a file, a pattern of files, or -, got 'splunk:main'",
        ),
        (
            SHORT.replace("gcp:example-staging/backend", 'gcp:a/b\\" OR severity=\\"'),
            "service[0].logs: expected gcp:PROJECT/SERVICE, got 'gcp:a/b\" OR severity=\"'",
        ),
        (
            SHORT + '[login]\ntoken = { env = "OTHER" }',
            "expected one way to log in, got [login] and a token of a service",
        ),
    ],
)
def test_a_short_form_that_cannot_be_gets_one_sentence(in_folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        environment.load(write(in_folder, text), base=in_folder)
    assert str(raised.value) == f"mine.toml: {sentence}"


def test_two_fixes_of_one_case_were_deployed_together(in_folder: Path) -> None:
    one = '[[fix]]\ntitle = "a"\ndeployed = 2026-01-01T00:00:00Z\n[[fix.symptom]]\nclose_code = 1011\n'
    assert (
        str(case.load(write(in_folder, one), base=in_folder).deployment.time) == "2026-01-01 00:00:00+00:00"
    )
    other = one.replace('"a"', '"b"').replace("T00", "T01").replace("1011", "1006")
    with pytest.raises(ConfigurationError, match="expected one deployment for a case"):
        case.load(write(in_folder, one + other), base=in_folder)


def test_checking_files_touches_no_network_and_says_what_a_run_would_owe(in_folder: Path) -> None:
    write(in_folder, SHORT, "staging.toml")
    write(in_folder, SHORT_CASE, "recursion.toml")
    files = ("staging.toml", "recursion.toml")
    done = proofbook("check", *files, cwd=in_folder, workspace=in_folder, STAGING_JWT="")
    assert done.returncode == 0, done.stderr
    for line in (
        "ok              staging: 1 service, 1 WebSocket endpoint, 1 log",
        "ok              recursion: Recursion in asyncio.sleep",
        "required        log-recursionerror-gone: “RecursionError” is gone from the log",
        "not measured    Delivery over ws is not measured: state send and expect.",
        "missing secret  environment variable STAGING_JWT",
    ):
        assert line in done.stdout
    explained = proofbook("explain", *files, cwd=in_folder, workspace=in_folder)
    assert explained.returncode == 0 and "connection = 0.99    # default" in explained.stdout
    write(in_folder, SHORT_CASE + "colour = 1", "recursion.toml")
    wrong = proofbook("check", *files, cwd=in_folder, workspace=in_folder)
    assert wrong.returncode == 2 and wrong.stderr.startswith(
        "recursion.toml: fix[0].symptom[1].colour: unknown key"
    )


@pytest.mark.parametrize("kind", [environment.Environment, case.Case])
def test_the_schema_that_editors_complete_by_is_published_and_fits_the_shipped_files(
    kind: type[Settings],
) -> None:
    name = kind.__name__.lower()
    published = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text())
    assert published == kind.schema_of_files(), (
        f"write it again: proofbook schema {name} > docs/{name}.schema.json"
    )
    for path in (ROOT / "notebooks" / f"{name}s").glob("*.toml"):
        jsonschema.validate(json.loads(json.dumps(tomllib.loads(path.read_text()), default=str)), published)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"colour": 1}, published)


@pytest.mark.parametrize("name", ["rehearsal", "staging.example"])
def test_the_shipped_environments_can_be_read(name: str) -> None:
    base = ROOT
    path = base / "notebooks" / "environments" / f"{name}.toml"
    where = environment.load(str(path), base=base)
    assert where.services and where.websockets


@pytest.mark.parametrize(
    "token",
    [
        '{in = "header", name = "X-Token", format = "Token {token}"}',
        '{in = "query", name = "t"}',
        '{in = "subprotocol"}',
        '{in = "cookie", name = "session"}',
        '{in = "first_message"}',
        '{in = "none"}',
    ],
)
def test_every_place_for_a_token_can_be_described(in_folder: Path, token: str) -> None:
    text = SOCKET + f'token = {token}\n[login]\ntoken = {{env = "X"}}'
    assert environment.load(write(in_folder, text), base=in_folder).websockets[0].token.place


def test_a_missing_secret_is_named_and_its_value_never_shown(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(MissingSecret) as raised:
        Reference(env="NOT_THERE").read_secret(base=in_folder, where="environments/x.toml: login.token")
    assert (
        str(raised.value)
        == "environments/x.toml: login.token: cannot read the secret from environment variable NOT_THERE: it is not set; export it first"
    )
    monkeypatch.setenv("THERE", "correct-horse-battery")
    secret = Reference(env="THERE").read_secret(base=in_folder, where="x")
    assert "correct-horse" not in f"{secret} {secret!r}"
    assert scrub("it was correct-horse-battery") == "it was [redacted]"


def test_a_failing_command_is_named_and_its_output_never_shown(in_folder: Path) -> None:
    with pytest.raises(MissingValue) as raised:
        Reference(command=[sys.executable, "-c", "print('hidden'); raise SystemExit(3)"]).read(
            base=in_folder, where="x"
        )
    assert "ended with exit code 3" in str(raised.value) and ": the command ended" in str(raised.value)
    with pytest.raises(MissingValue, match="is not installed"):
        Reference(command=["no-such-program-anywhere"]).read(base=in_folder, where="x")
    with pytest.raises(MissingValue, match=r"cannot be started \(Permission denied\)"):
        Reference(command=[str(in_folder)]).read(base=in_folder, where="x")


def test_what_is_named_and_no_secret_is_not_called_one(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    text = '[[service]]\nname = "api"\nurl = {file = "up/api.url"}\n'
    kept = '[login]\ntoken = {env = "NOT_THERE"}\n'
    where = environment.load(write(in_folder, text + kept), base=in_folder)
    with pytest.raises(MissingValue) as raised:
        Session(where, base=in_folder)
    assert str(raised.value) == (
        "environments/mine.toml: service 'api': url: cannot read the value from file up/api.url: No such file or directory"
    )
    assert not isinstance(raised.value, MissingSecret) and raised.value.exit_code == 2
    (in_folder / "up").mkdir()
    (in_folder / "up" / "api.url").write_bytes(b"\xff\xfe")
    with pytest.raises(MissingValue, match="the file is not UTF-8 text"):
        Session(where, base=in_folder)
    (in_folder / "up" / "api.url").write_text("http://127.0.0.1:1")
    with pytest.raises(MissingSecret, match="cannot read the secret from environment variable NOT_THERE"):
        Session(where, base=in_folder)
