"""What is printed for a scheduler works there: it runs the right command, where it should, and never a second time too early."""

from __future__ import annotations

import ast
import datetime as dt
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import asking
import jinja2
import pytest
import receivers
import told
import yaml
from conftest import with_notebooks

from proofbook.collect import fingerprints
from proofbook.config import environment as environments
from proofbook.errors import UsageError
from proofbook.schedule import plan as plans
from proofbook.schedule.forms import FORMS
from proofbook.schedule.plan import Plan

WITH_SECRETS = 'every = "1h"\n[login]\nuser = "u"\ntoken = { env = "STAGING_JWT" }\n[[notify.webhook]]\nurl = { env = "HOOK_URL" }\n'
# Stands in for the program: it says how it was called, and ends as it is told to.
STAND_IN = """#!{python} -I
import json, os, sys, time
with open({told!r}, "a") as file:
    print(json.dumps({{"words": sys.argv[1:], "folder": os.getcwd(), "jwt": os.environ.get("STAGING_JWT"), "outputs": os.environ.get("PROOFBOOK_OUTPUTS")}}), file=file)
time.sleep(float(os.environ.get("LASTS", "0")))
print("overdue")
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose path is as awkward as paths get."""
    folder = tmp_path / "a team's 100% $PLACE"
    folder.mkdir()
    place = with_notebooks(folder)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(place))
    monkeypatch.delenv("PROOFBOOK_OUTPUTS", raising=False)
    for path in (place / "notebooks" / "environments").glob("*.toml"):
        path.unlink()
    told.state_environment(place, "staging", WITH_SECRETS)
    told.state_environment(place, "production")
    return place


def plan_of(base: Path, *names: str, every: str = "") -> Plan:
    return plans.of(
        [environments.load(name, base=base) for name in names], list(names), every=every, base=base
    )


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    path = tmp_path / "bin dir" / "proof book"
    path.parent.mkdir()
    path.write_text(STAND_IN.format(python=sys.executable, told=str(tmp_path / "told.jsonl")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def calls(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def entries(text: str) -> list[tuple[str, str]]:
    """The times and the command of each line of a crontab, as cron reads them: a bare % would end the command."""
    found = []
    for line in text.splitlines():
        if not line.startswith("#"):
            *times, command = line.split(" ", 5)
            assert not re.search(r"(?<!\\)%", command)
            found.append((" ".join(times), command.replace("\\%", "%")))
    return found


def by_cron(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command as cron runs it: by /bin/sh, from home, with hardly a variable."""
    return subprocess.run(["/bin/sh", "-c", command], cwd="/", capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/bin", "HOME": "/", **variables})  # fmt: skip


def test_the_lines_of_cron_run_in_the_workspace_with_the_secrets_of_a_file(
    base: Path, stand_in: Path, tmp_path: Path
) -> None:
    plan = replace(plan_of(base, "staging"), program=(str(stand_in),))
    (_, running), (_, asking_for_due) = entries(FORMS["cron"](plan))
    missing = by_cron(running)
    assert missing.returncode != 0 and calls(tmp_path) == [], "without its secrets nothing is started"
    (base / f"{plan.name}.env").write_text("STAGING_JWT='with space'\n")
    done = by_cron(running, CODE="3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert by_cron(asking_for_due, CODE="5").stdout == "", "people are told otherwise"
    where = {"folder": str(base), "jwt": "with space", "outputs": None}
    assert calls(tmp_path) == [
        {"words": ["run", "staging", "--yes", "--assets", "shared"], **where},
        {"words": ["due", "staging", "--every", "1h", "--notify"], **where},
    ]
    assert (base / "outputs" / f".{plan.name}.log").read_text() == "overdue\n"


@pytest.mark.slow
def test_cron_never_runs_two_at_once(base: Path, stand_in: Path, tmp_path: Path) -> None:
    told.state_environment(base, "staging", 'every = "1h"\n')
    (_, running), _ = entries(FORMS["cron"](replace(plan_of(base, "staging"), program=(str(stand_in),))))
    first = subprocess.Popen(["/bin/sh", "-c", running], cwd="/", env={"PATH": "/usr/bin:/bin", "LASTS": "3"})
    receivers.wait_until(lambda: calls(tmp_path), within_s=30)
    assert by_cron(running).returncode == 75
    assert first.wait() == 0 and len(calls(tmp_path)) == 1
    assert by_cron(running).returncode == 0 and len(calls(tmp_path)) == 2


def test_where_nobody_is_told_cron_mails_what_is_overdue_and_nothing_else(base: Path, stand_in: Path) -> None:
    plan = replace(plan_of(base, "production", every="1d"), program=(str(stand_in),))
    _, (_, asking_for_due) = entries(FORMS["cron"](plan))
    assert by_cron(asking_for_due, CODE="5").stdout == "overdue\n"
    assert by_cron(asking_for_due, CODE="0").stdout == ""


@pytest.mark.slow
def test_the_line_that_asks_for_runs_is_understood_by_the_real_program(base: Path) -> None:
    told.state_environment(base, "staging", 'every = "1h"\n')
    answer = asking.ask("schedule", "staging", "--for", "cron")
    assert answer.code == 0
    _, (_, asking_for_due) = entries(answer.out)
    done = by_cron(
        asking_for_due, **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    )
    assert (done.stdout, done.stderr) == (
        "staging: overdue: no run has ever finished; one every 1 h is expected\n",
        "",
    )


# systemd ------------------------------------------------------------------------------------------------------------


def units(text: str) -> Mapping[str, str]:
    found = dict(
        re.findall(
            r"^# /etc/systemd/system/(\S+)\n(.*?)(?=\n# /etc|\n# To install)",
            text,
            flags=re.MULTILINE | re.DOTALL,
        )
    )
    assert len(found) == 4
    return found


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed: sudo apt-get install systemd",
)
def test_systemd_accepts_the_units(base: Path, stand_in: Path, tmp_path: Path) -> None:
    found = units(FORMS["systemd"](replace(plan_of(base, "staging"), program=(str(stand_in),))))
    folder = tmp_path / "units"
    folder.mkdir()
    for name, content in found.items():
        (folder / name).write_text(content + "\n")
    command = ["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in found)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "proofbook" in line]) == (0, [])
    # It would have said so.
    (folder / "proofbook-staging.service").write_text(
        found["proofbook-staging.service"].replace("Type=oneshot", "Typ=oneshot")
    )
    assert "Unknown key" in subprocess.run(command, capture_output=True, text=True).stderr


def test_units_do_not_start_again_and_take_inconclusive_for_no_failure(base: Path) -> None:
    found = units(FORMS["systemd"](plan_of(base, "staging")))
    run, due = found["proofbook-staging.service"], found["proofbook-staging-due.service"]
    for line in (
        "Type=oneshot",
        "Restart=no",
        "SuccessExitStatus=3",
        "TimeoutStartSec=3600",
        "EnvironmentFile=/etc/proofbook/proofbook-staging.env",
    ):
        assert f"\n{line}\n" in f"\n{run}\n"
    assert "SuccessExitStatus" not in due
    assert f"WorkingDirectory={str(base).replace('%', '%%')}\n" in run
    assert "OnUnitActiveSec=3600s" in found["proofbook-staging.timer"]


# YAML ---------------------------------------------------------------------------------------------------------------


def by_shell(script: str, stand_in: Path, shell: list[str], code: int) -> subprocess.CompletedProcess[str]:
    """A script with the stand-in found on the PATH as `proofbook`."""
    (stand_in.parent / "proofbook").unlink(missing_ok=True)
    (stand_in.parent / "proofbook").symlink_to(stand_in)
    variables = {"PATH": f"{stand_in.parent}:/usr/bin:/bin", "CODE": str(code)}
    return subprocess.run([*shell, script], capture_output=True, text=True, env=variables, timeout=60)


def test_github_runs_it_once_and_warns_of_inconclusive(base: Path, stand_in: Path, tmp_path: Path) -> None:
    workflow = yaml.safe_load(FORMS["github"](plan_of(base, "staging", "production", every="6h")))
    assert re.fullmatch(r"\d+ \d-23/6 \* \* \*", workflow["on"]["schedule"][0]["cron"])
    assert workflow["concurrency"] == {"group": workflow["name"], "cancel-in-progress": False}
    job = workflow["jobs"]["validate"]
    assert job["env"] == {"HOOK_URL": "${{ secrets.HOOK_URL }}", "STAGING_JWT": "${{ secrets.STAGING_JWT }}"}
    step = next(item for item in job["steps"] if item.get("name") == "Validate")
    # As GitHub starts it.
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
    codes = {code: by_shell(step["run"], stand_in, shell, code) for code in (0, 1, 2, 3, 4)}
    assert {code: done.returncode for code, done in codes.items()} == {0: 0, 1: 1, 2: 2, 3: 0, 4: 4}
    assert "::warning::inconclusive" in codes[3].stdout
    assert calls(tmp_path)[0]["words"] == ["run", "staging", "production", "--yes"]
    # A checkout is new each time: what was told before has to come from somewhere.
    kept = [item["uses"].partition("@")[0] for item in job["steps"] if "cache" in item.get("uses", "")]
    assert kept == ["actions/cache/restore", "actions/cache/save"]


def test_gitlab_runs_it_once_and_lets_inconclusive_pass(base: Path, stand_in: Path, tmp_path: Path) -> None:
    job = yaml.safe_load(FORMS["gitlab"](plan_of(base, "staging")))["proofbook-staging"]
    assert (job["retry"], job["allow_failure"], job["resource_group"], job["interruptible"]) == (
        0,
        {"exit_codes": [3]},
        "proofbook-staging",
        False,
    )
    assert by_shell(job["script"][-1], stand_in, ["bash", "-eo", "pipefail", "-c"], 3).returncode == 3
    assert calls(tmp_path)[0]["words"] == ["run", "staging", "--yes"]


def test_kubernetes_runs_it_once_as_nobody_with_a_root_that_cannot_be_written(
    base: Path, stand_in: Path, tmp_path: Path
) -> None:
    run, due = yaml.safe_load_all(FORMS["kubernetes"](plan_of(base, "staging")))
    for job in (run, due):
        assert len(job["metadata"]["name"]) <= 52
        spec = job["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never" and pod["securityContext"]["runAsNonRoot"]
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert {
            "name": "STAGING_JWT",
            "valueFrom": {"secretKeyRef": {"name": "proofbook-staging", "key": "STAGING_JWT"}},
        } in container["env"]
    assert run["spec"]["schedule"] != due["spec"]["schedule"]
    codes = {}
    for job in (run, due):
        *shell, script = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["command"]
        codes[job["metadata"]["name"]] = [
            by_shell(script, stand_in, shell, code).returncode for code in (0, 1, 2, 3, 4, 5)
        ]
    assert codes == {"proofbook-staging": [0, 1, 2, 0, 4, 5], "proofbook-staging-due": [0, 1, 2, 3, 4, 0]}
    assert [item["words"][0] for item in calls(tmp_path)] == ["run"] * 6 + ["due"] * 6


# Airflow ------------------------------------------------------------------------------------------------------------


def test_the_dag_of_airflow_is_tried_once_and_skipped_if_inconclusive(
    base: Path, stand_in: Path, tmp_path: Path
) -> None:
    plan = replace(plan_of(base, "staging", every="7m"), program=(str(stand_in),))
    tree = ast.parse(FORMS["airflow"](plan))
    given = {
        node.func.id: {item.arg: ast.unparse(item.value) for item in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    dag, task = given["DAG"], given["BashOperator"]
    assert (dag["catchup"], dag["max_active_runs"], dag["schedule"]) == (
        "False",
        "1",
        "dt.timedelta(seconds=420)",
    )
    assert ast.literal_eval(dag["default_args"]) == {"retries": 0}
    assert (task["skip_on_exit_code"], ast.literal_eval(task["cwd"])) == ("3", str(base))
    subprocess.run(["bash", "-c", ast.literal_eval(task["bash_command"])], check=True, cwd=base)
    assert calls(tmp_path)[0]["words"] == ["run", "staging", "--yes", "--assets", "shared"]


IN_AIRFLOW = """
import os, sys
from airflow.exceptions import AirflowException, AirflowSkipException
from airflow.models import DagBag
bag = DagBag(sys.argv[1], include_examples=False)
assert not bag.import_errors, bag.import_errors
(task,) = bag.dags["proofbook-staging"].tasks
for code in ("0", "3", "1"):
    os.environ["CODE"] = code
    try:
        task.execute({})
        came = "success"
    except AirflowSkipException:
        came = "skipped"
    except AirflowException:
        came = "failed"
    print(f"came {code} {came}", file=sys.stderr)
"""
# Airflow wants an environment of its own: it and notebooks need other versions of the same packages.
AIRFLOW_PYTHON = os.environ.get("PROOFBOOK_AIRFLOW_PYTHON", "")


@pytest.mark.slow
@pytest.mark.skipif(
    not AIRFLOW_PYTHON,
    reason="no Airflow: set PROOFBOOK_AIRFLOW_PYTHON to the Python of an environment that has it",
)
def test_airflow_itself_runs_the_dag_and_skips_what_is_inconclusive(
    base: Path, stand_in: Path, tmp_path: Path
) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "proofbook.py").write_text(
        FORMS["airflow"](replace(plan_of(base, "staging"), program=(str(stand_in),)))
    )
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [AIRFLOW_PYTHON, "-c", IN_AIRFLOW, str(tmp_path / "dags")],
        capture_output=True,
        text=True,
        env=variables,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^came (\d \w+)$", done.stderr, flags=re.MULTILINE) == [
        "0 success",
        "3 skipped",
        "1 failed",
    ]
    assert [item["words"] for item in calls(tmp_path)] == [
        ["run", "staging", "--yes", "--assets", "shared"]
    ] * 3


# What all have in common ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_no_form_holds_the_value_of_a_secret_and_every_one_names_it(
    base: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("STAGING_JWT", "the-value-of-the-token")
    text = FORMS[form](plan_of(base, "staging"))
    assert "the-value" not in text and "STAGING_JWT" in text and "HOOK_URL" in text


@pytest.mark.parametrize("form", ["cron", "systemd", "airflow"])
def test_where_outputs_are_kept_is_said_to_the_scheduler_too(
    base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", os.path.relpath(tmp_path / "kept"))
    assert str(tmp_path / "kept") in FORMS[form](plan_of(base, "staging"))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_an_object_store_is_named_to_the_scheduler_and_what_opens_it_is_not(
    base: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", "s3://runs/team")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-value-of-the-key")
    text = FORMS[form](plan_of(base, "staging"))
    assert "s3://runs/team" in text and "AWS_SECRET_ACCESS_KEY" in text and "the-value" not in text
    # What was told before comes from the store, and what could not be sent stays where somebody finds it.
    assert "actions/cache" not in text and "cache:" not in text
    assert ("PROOFBOOK_SCRATCH" in text) is (form == "kubernetes")


def times(base: Path, every: str) -> str:
    return plans.cron_times(plan_of(base, "staging", every=every))


def minutes_of(field: str, top: int) -> list[int]:
    """The values of a field of cron."""
    if field == "*":
        return list(range(top))
    span, _, step = field.partition("/")
    low, _, high = span.partition("-")
    return list(range(int(low), int(high or low) + 1, int(step or 1)))


@pytest.mark.parametrize(("every", "a_day"), [("1m", 1440), ("5m", 288), ("20m", 72), ("60m", 24), ("1h", 24), ("6h", 4), ("12h", 2), ("24h", 1), ("1d", 1), ("7d", 1)])  # fmt: skip
def test_cron_runs_as_often_as_is_asked(base: Path, every: str, a_day: int) -> None:
    minute, hour, day, month, weekday = times(base, every).split()
    moments = [60 * h + m for h in minutes_of(hour, 24) for m in minutes_of(minute, 60)]
    assert len(moments) == a_day
    gaps = {
        later - earlier for earlier, later in zip(moments, [*moments[1:], moments[0] + 1440], strict=True)
    }
    assert gaps == {1440 // a_day}, "evenly, and over midnight too"
    assert (day, month, weekday) == ("*", "*", "1" if every == "7d" else "*")


@pytest.mark.parametrize("every", ["7m", "90m", "5h", "2d", "90s"])
def test_what_cron_cannot_say_is_a_clear_mistake(base: Path, every: str) -> None:
    with pytest.raises(
        UsageError, match=f"--every: cron cannot say {every}: expected minutes that divide an hour"
    ):
        times(base, every)
    assert FORMS["systemd"](plan_of(base, "staging", every=every))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("stagin", "--for", "cron"), "there is no environment 'stagin' in notebooks/environments; did you mean 'staging'?"),
        (("staging", "--for", "crontab"), "there is no scheduler 'crontab'; did you mean 'cron'?"),
        (("staging", "--for", "cron", "--every", "often"), "--every: expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got 'often'"),
        (("staging", "--for", "cron", "--every", "30s"), "--every: expected at least 1m, got 30s; for shorter rounds: proofbook watch"),
        (("production", "--for", "cron"), "expected to know how often production runs; say it: --every 1h"),
        (("staging", "production", "--for", "cron"), "expected to know how often staging, production run; say it: --every 1h"),
    ],
)  # fmt: skip
def test_what_cannot_be_scheduled_is_said_in_a_sentence(
    base: Path, words: tuple[str, ...], sentence: str
) -> None:
    answer = asking.ask("schedule", *words)
    assert (answer.code, answer.last, answer.out) == (2, sentence, "")


def test_names_of_schedules_are_short_and_differ(base: Path) -> None:
    for number in range(8):
        told.state_environment(base, f"eu-west-{number}")
    many = [f"eu-west-{number}" for number in range(8)]
    names = {plan_of(base, *some, every="1h").name for some in (many, many[:7], many[:6], ["eu-west-1"])}
    assert len(names) == 4 and all(re.fullmatch(r"[a-z0-9-]{1,45}", name) for name in names)


def test_environments_whose_names_look_alike_have_schedules_of_their_own(base: Path) -> None:
    alike = ["eu", "EU", "e u", "e-u", "münchen", "m nchen"]
    for name in (*alike, "e", "u", "日本"):
        told.state_environment(base, name)
    some = [*([name] for name in alike), ["e", "u"], ["日本"]]
    names = [plan_of(base, *environments, every="1h").name for environments in some]
    assert len(set(names)) == len(names), "a lock or a file of one would be that of another"
    assert names[0] == "proofbook-eu" and names[3] == "proofbook-e-u"
    assert all(re.fullmatch(r"proofbook(-[a-z0-9]+)+", name) and len(name) <= 40 for name in names)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_awkward_path_is_read_as_it_was_meant(base: Path, form: str, stand_in: Path) -> None:
    folder = base / 'it\'s {{ 7 }} \\ug """x'
    folder.mkdir()
    told.state_environment(base, "odd name+").rename(folder / "odd name+.toml")
    name = str(folder / "odd name+.toml")
    plan = replace(plan_of(base, name, every="6h"), program=(str(stand_in),))
    text = FORMS[form](plan)
    if form == "airflow":
        [command] = re.findall(r"bash_command=(.*),$", text, flags=re.MULTILINE)
        ast.parse(text)
        template = jinja2.Template(ast.literal_eval(command))
        assert shlex.split(template.render())[1:3] == ["run", name]
    elif form == "cron":
        assert name in shlex.split(entries(text)[0][1])
    elif form != "systemd":
        # systemd reads its own in a test above.
        scripts = [
            line
            for document in yaml.safe_load_all(text)
            for line in _texts(document)
            if "proofbook run" in line
        ]
        assert scripts and all(shlex.quote(name) in line for line in scripts)


def _texts(content: Any) -> list[str]:
    if isinstance(content, dict | list):
        items = content.values() if isinstance(content, dict) else content
        return [text for item in items for text in _texts(item)]
    return [content] if isinstance(content, str) else []


def test_a_path_of_two_lines_is_refused_in_one(base: Path) -> None:
    folder = base / "a\nb"
    folder.mkdir()
    told.state_environment(base, "x").rename(folder / "x.toml")
    answer = asking.ask("schedule", str(folder / "x.toml"), "--every", "1h", "--for", "cron")
    assert (answer.code, answer.out) == (2, "")
    assert answer.last.startswith("expected paths that fit into one line of what a scheduler reads, got ")


def test_github_is_not_asked_for_more_than_it_does(base: Path) -> None:
    answer = asking.ask("schedule", "staging", "--every", "1m", "--for", "github")
    assert (answer.code, answer.out) == (2, "")
    assert answer.last == "--every: GitHub starts a schedule every 5 minutes at most, got 1m"
    assert asking.ask("schedule", "staging", "--every", "5m", "--for", "github").code == 0


@pytest.mark.parametrize("store", ["", "s3://acme-runs/checkout"])
def test_what_is_kept_for_others_leaves_out_the_key_of_fingerprints(
    base: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = "outputs/"
    if store:
        monkeypatch.setenv("PROOFBOOK_OUTPUTS", store)
        kept = ".outputs/"
    plan = plan_of(base, "staging")
    github = yaml.safe_load(FORMS["github"](plan))["jobs"]["validate"]["steps"][-1]["with"]["path"]
    assert github.splitlines() == [kept, f"!{kept}**/{fingerprints.FILE}"]
    artifacts = yaml.safe_load(FORMS["gitlab"](plan))[plan.name]["artifacts"]
    assert (artifacts["paths"], artifacts["exclude"]) == ([kept], [f"{kept}**/{fingerprints.FILE}"])


def test_a_daily_run_is_at_an_hour_that_every_day_has_once(base: Path) -> None:
    hour = int(times(base, "1d").split()[1])
    changed = set()
    for zone in ("Europe/Berlin", "Europe/Helsinki", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Beirut", "Atlantic/Azores"):  # fmt: skip
        there = zoneinfo.ZoneInfo(zone)
        for number in range(366 * 24):
            local = dt.datetime(2026, 1, 1, 0, 30) + dt.timedelta(hours=number)
            if len({local.replace(tzinfo=there, fold=fold).utcoffset() for fold in (0, 1)}) == 2:
                changed.add(local.hour)
    assert len(changed) >= 3 and hour not in changed
