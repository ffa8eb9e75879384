"""`proofbook try`: discovers a system, writes a short environment and case file for it, and says what they can decide.

The files are ordinary ones, to keep, edit and run again. What is not stated is not claimed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from proofbook import paths as workspace
from proofbook import validation
from proofbook.collect import discovery, planning
from proofbook.collect.services import health_search
from proofbook.collect.session import Session, is_loopback
from proofbook.config import duckdb_text, log_uri
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.toml import toml_value
from proofbook.errors import UsageError
from proofbook.evidence import store
from proofbook.files import parse_json, replace_text
from proofbook.report.finding_html import duration
from proofbook.stats import plans

Say = Callable[[str], None]
# A table of a TOML file.
Settings: TypeAlias = dict[str, Any]
TARGETS = (0.95, 0.99, 0.999)
# A stranger's service is asked no faster than a person would; this machine's own may be.
PACE = {"per_s": 5.0, "concurrency": 5, "timeout_s": 5.0}
LOOPBACK_PACE = {"per_s": 50.0, "concurrency": 10, "timeout_s": 5.0}
MOST_EXAMPLES = 2
# While this still fits the text above it, nobody has edited the file, and asking again may write it again.
_SEAL = "# unedited: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `proofbook try`. gone: close codes and log patterns. since: deployment time of the fix."""

    url: str
    ws: str = ""
    token_env: str = ""
    logs: str = ""
    gone: tuple[str, ...] = ()
    since: dt.datetime | None = None
    within_s: float | None = None
    ca_file: str = ""

    @property
    def close_codes(self) -> list[int]:
        return [int(item) for item in self.gone if re.fullmatch(r"[1-4]\d{3}", item)]

    @property
    def log_patterns(self) -> list[str]:
        return [item for item in self.gone if not re.fullmatch(r"[1-4]\d{3}", item)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The environment and case file that were written, and the SLO target of the case."""

    environment: Path
    case: Path
    target: float


def check(options: Options, *, token: str = "", now: dt.datetime) -> None:
    """Checks the options before anything is sent.

    Raises:
        UsageError: what was expected, what came, and what to do.
    """
    _check_url(options.url)
    _check_websocket(options)
    _check_symptoms(options)
    if options.since is not None and options.since > now:
        raise UsageError(
            f"--since must be in the past, got {options.since.isoformat()}, and it is {now:%Y-%m-%dT%H:%M:%SZ}"
        )
    if problem := log_uri.problem(options.logs or "-"):
        raise UsageError(f"--logs: {problem}")
    _check_token(options, token, now=now)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        near = (
            url.replace("ws", "http", 1)
            if parts.scheme in ("ws", "wss")
            else f"http://{url.partition('://')[2] or url}"
        )
        raise UsageError(
            f"expected a service URL such as {near}, got {url!r}; give the path of a WebSocket with --ws"
        )
    if parts.username or parts.password:
        raise UsageError(
            f"the URL of {parts.hostname} contains a password; put a token into an environment variable and name it with --token-env"
        )
    if parts.query or parts.fragment:
        raise UsageError(
            f"the URL of {parts.hostname}{parts.path} contains a query; put what every request needs into headers of an environment file"
        )


def _check_websocket(options: Options) -> None:
    if "@" in options.ws or "?" in options.ws:
        raise UsageError("--ws: expected a path without a query or a password; name a token with --token-env")
    if options.ws and not options.ws.startswith(("/", "ws://", "wss://")):
        raise UsageError(f"--ws: expected a path such as /ws, got {options.ws!r}")


def _check_symptoms(options: Options) -> None:
    """Each symptom has a place where it would show, and a pattern that not every line matches."""
    if options.close_codes and not options.ws:
        raise UsageError(
            f"--gone {options.close_codes[0]} is a WebSocket close code; give the WebSocket's path with --ws"
        )
    if options.log_patterns and not options.logs:
        raise UsageError(
            f"--gone {options.log_patterns[0]!r} is a log pattern; give the log source with --logs"
        )
    for pattern in options.log_patterns:
        problem = duckdb_text.problem(pattern)
        if problem:
            raise UsageError(f"--gone: expected a regular expression, got {pattern!r} ({problem})")
        if all(duckdb_text.found_in(pattern, ["", "all well", "7"])):
            raise UsageError(f"--gone: {pattern!r} matches every line; name what only the defect writes")


def _check_token(options: Options, token: str, *, now: dt.datetime) -> None:
    if options.token_env and not token:
        raise UsageError(
            f"--token-env: environment variable {options.token_env} is not set; export a token in it first"
        )
    expired = _expired_at(token)
    if expired is not None and expired <= now:
        ago = duration((now - expired).total_seconds())
        raise UsageError(
            f"the token in {options.token_env} expired at {expired:%Y-%m-%d %H:%M:%S} UTC, {ago} ago; get a new one"
        )


def prepare(options: Options, *, base: Path, say: Say) -> Files:
    """The two files, written from what was discovered; says what was found and what they can decide.

    Raises:
        UsageError, CouldNotLook: the options cannot be used, or the host does not resolve.
    """
    name = _free_name(options.url, base=base)
    settings = asyncio.run(_discover(options, base=base, say=say))
    where = Environment.model_validate(settings).model_copy(update={"name": name})
    fitting = choose_target(where, within_s=options.within_s)
    for line in can_decide(where, within_s=options.within_s):
        say(f"can decide · {line}")
    if options.log_patterns:
        say(
            "can decide · log patterns: as far as the log covers both sides of the deployment; the result says how sure"
        )
    command = _command_of(options)
    environment, case = (workspace.kept(kind, base) / f"{name}.toml" for kind in ("environments", "cases"))
    _save(environment, _environment_text(settings, name, command))
    _save(case, case_text(options, target=fitting, command=command))
    say(f"saved · {workspace.shown(environment)} and {workspace.shown(case)}: yours to edit")
    return Files(environment=environment, case=case, target=fitting)


def propose_examples(options: Options, files: Files, recorded: store.Evidence) -> None:
    """Puts lines that the patterns matched in the log into the case, as the examples by which they are proven."""
    if not options.log_patterns:
        return
    found = {pattern: _lines(recorded, pattern) for pattern in options.log_patterns}
    if any(found.values()):
        text = case_text(options, target=files.target, command=_command_of(options), examples=found)
        _save(files.case, text)


def choose_target(where: Environment, *, within_s: float | None) -> float:
    """The highest success rate that can be shown in the time; the lowest where none can, or no time is given."""
    fitting = [
        target
        for target in TARGETS
        if within_s is not None and planning.shortest_s(where, _case(target)) <= within_s
    ]
    return max(fitting, default=TARGETS[0])


def can_decide(where: Environment, *, within_s: float | None) -> list[str]:
    """What can be shown in which time, and how sure, known before anything is sent.

    With a time limit every target is named, also those that do not fit.
    """
    lines = []
    for target in TARGETS if within_s is not None else TARGETS[:1]:
        seconds, plan = planning.shortest_s(where, _case(target)), plans.plan_for(target)
        needs = f"{plan.looks[0][0]:,} clean samples of each, {duration(seconds)}"
        if within_s is None or seconds <= within_s:
            lines.append(f"whether at least {_percent(target)} works: yes, with {needs}")
        else:
            lines.append(
                f"whether at least {_percent(target)} works: not in {duration(within_s)}, it takes {needs}"
            )
    count = plans.plan_for(choose_target(where, within_s=within_s)).looks[0][0]
    chances = "; ".join(
        f"1 of {every:,} with {_percent(1 - (1 - 1 / every) ** count)}" for every in (10, 100, 1000)
    )
    return [*lines, f"a fault that hits 1 of so many connections is seen with a chance of: {chances}"]


def case_text(
    options: Options, *, target: float, command: str, examples: dict[str, list[str]] | None = None
) -> str:
    """The case as a TOML file."""
    title = f"{'Is' if len(options.gone) == 1 else 'Are'} {' and '.join(options.gone)} gone?"
    title = title if options.gone else "Is it well?"
    lines = [f"# Written by: {command}", f"title = {toml_value(title)}", "", "[targets]"]
    lines += [f"{name} = {target:g}" for name in ("health", "connection", "authentication", "delivery")]
    if not options.gone:
        return "\n".join(lines) + "\n"
    deployed = options.since.astimezone(dt.UTC).isoformat() if options.since else '"auto"'
    lines += [
        "",
        "[budgets]",
        f"absent_rate = {1 - target:g}",
        "",
        "[[fix]]",
        f"title = {toml_value(' and '.join(options.gone))}",
        f"deployed = {deployed}    # "
        + ('or "auto", found in the data' if options.since else "when the newest revision came; or a time"),
        'before = "auto"    # what was recorded before, else the old revision in the log; or the id of a run',
    ]
    for pattern in options.log_patterns:
        lines += ["", "[[fix.symptom]]", f"log = {toml_value(pattern)}"]
        known = (examples or {}).get(pattern)
        lines.append(
            f"examples = {toml_value(known)}"
            if known
            else '# examples = ["a line as the defect wrote it"]    # proves the pattern where nothing was recorded before'
        )
    for code in options.close_codes:
        lines += ["", "[[fix.symptom]]", f"close_code = {code}"]
    return "\n".join(lines) + "\n"


def _environment_text(settings: Settings, name: str, command: str) -> str:
    (service,) = settings["service"]
    lines = [
        f"# Written by: {command}",
        f"# Ask again: proofbook run {name}; see every default: proofbook explain {name}",
        f"title = {toml_value(settings['title'])}",
        f"case = {toml_value(name)}",
        "",
        "[pace]",
        *(f"{key} = {toml_value(value)}" for key, value in settings["pace"].items()),
        "",
        "[[service]]",
        *(f"{key} = {toml_value(value)}" for key, value in service.items()),
    ]
    return "\n".join(lines) + "\n"


async def _discover(options: Options, *, base: Path, say: Say) -> Settings:
    """The settings of an environment file for this system, found with a few requests at its rate limit."""
    parts = urlsplit(options.url)
    service: Settings = {"name": "service", "url": f"{parts.scheme}://{parts.netloc}"}
    if options.ca_file:
        service["ca_file"] = options.ca_file
    if options.ws:
        service["ws"] = _socket(options.ws)
    if options.token_env:
        service["token"] = {"env": options.token_env}
    if options.logs:
        service["logs"] = options.logs
    pace = LOOPBACK_PACE if is_loopback(options.url) else PACE
    settings: Settings = {"title": parts.netloc, "pace": dict(pace), "service": [service]}
    session = Session(_environment(settings), base=base)
    say(f"found · {await _discover_health(parts.path, settings, session)}")
    if options.ws:
        say(f"found · {await _discover_websocket(options, settings, session)}")
    return settings


async def _discover_health(path: str, settings: Settings, session: Session) -> str:
    """What was found of the health page, in words; the settings are completed by it."""
    (service,) = settings["service"]
    paths = [path] if path not in ("", "/") else health_search.HEALTH_PATHS
    health = await health_search.find_health(session.environment.services[0], paths, session=session)
    service["health"] = health.path
    service |= health.settings
    revision = health.settings.get("revision_path")
    told = f"health at {health.path}" + (f", revision in {revision!r}" if revision else "")
    return "; ".join([told, *health.remarks])


async def _discover_websocket(options: Options, settings: Settings, session: Session) -> str:
    """What was found of the WebSocket, in words; the settings are completed by it."""
    (service,) = settings["service"]
    met = await discovery.probe_endpoint(session.environment.websockets[0], session=session)
    if met.refused and options.token_env:
        # The other usual place. Never the address: servers write addresses into their logs.
        other = {**service["ws"], "token": {"in": "subprotocol"}}
        there = _environment({**settings, "service": [{**service, "ws": other}]})
        again = await discovery.probe_endpoint(there.websockets[0], session=Session(there, base=session.base))
        if again.upgraded and not again.refused:
            service["ws"] = other
            met = replace(again, remarks=("the token goes as a subprotocol", *again.remarks))
    if met.greeting is not None:
        service["ws"]["greeting"] = met.greeting
    greets = [f"it greets with {_shown(met.greeting)}"] if met.greeting is not None else []
    return f"WebSocket at {options.ws}: {'; '.join([*greets, *met.remarks])}"


def _environment(settings: Settings) -> Environment:
    return Environment.model_validate(settings).model_copy(update={"name": "try"})


def _socket(ws: str) -> Settings:
    return {"path": ws} if ws.startswith("/") else {"url": ws}


def _shown(greeting: Settings) -> str:
    if "json" in greeting:
        return ", ".join(f"{path} = {json.dumps(value)}" for path, value in greeting["json"].items())
    return "some message" if greeting["regex"] == "(?s)." else "always the same text"


def _case(target: float) -> Case:
    names = ("health", "connection", "authentication", "delivery")
    return Case.model_validate({"title": "try", "targets": dict.fromkeys(names, target)})


def _lines(recorded: store.Evidence, pattern: str) -> list[str]:
    """Lines that a pattern matched, the oldest of each kind."""
    for phase in ("before", "after"):
        rows = validation.with_patterns(recorded, [pattern])("log_matches", phase)
        if rows is not None and len(rows):
            rows = rows[rows["pattern"] == pattern]
            samples = [str(text).strip().rpartition("\n")[2][:300] for text in rows["sample"]]
            matching = [
                line for line, hit in zip(samples, duckdb_text.found_in(pattern, samples), strict=True) if hit
            ]
            if matching:
                return list(dict.fromkeys(matching))[:MOST_EXAMPLES]
    return []


def _free_name(url: str, *, base: Path) -> str:
    """A name under which nothing lies that a person wrote or edited."""
    stem, number = _name_of(url), 1
    name = stem
    while not all(
        _is_ours(workspace.kept(kind, base) / f"{name}.toml") for kind in ("environments", "cases")
    ):
        number += 1
        name = f"{stem}-{number}"
    return name


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, f"{text}{_SEAL}{_digest(text)}\n")


def _is_ours(path: Path) -> bool:
    """Whether a file is not there, or still as it was written here."""
    if not path.exists():
        return True
    text, seal, digest = path.read_text(encoding="utf-8", errors="replace").rpartition(_SEAL)
    return bool(seal) and digest.strip() == _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _name_of(url: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", urlsplit(url).netloc.lower()).strip("-")


def _command_of(options: Options) -> str:
    """The command that asks this again; a token is named in it, never written."""
    pairs: Sequence[tuple[str, str]] = (
        ("--ws", options.ws),
        ("--token-env", options.token_env),
        ("--logs", options.logs),
        ("--ca", options.ca_file),
        *(("--gone", item) for item in options.gone),
        ("--since", options.since.isoformat() if options.since else ""),
        ("--within", f"{options.within_s:g}s" if options.within_s else ""),
    )
    words = [f"{option} {json.dumps(value) if re.search(r'[^A-Za-z0-9_./:=-]', value) else value}" for option, value in pairs if value]  # fmt: skip
    return " ".join(["proofbook try", options.url, *words])


def _expired_at(token: str) -> dt.datetime | None:
    """When a JWT expires; None of anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = parse_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return dt.datetime.fromtimestamp(float(claims["exp"]), dt.UTC)
    except (ValueError, KeyError, TypeError, binascii.Error, OverflowError):
        return None


def _percent(share: float) -> str:
    """A chance as people read it, never rounded up to certainty.

    >>> _percent(0.95), _percent(0.99978), _percent(0.0694)
    ('95 %', 'over 99.9 %', '6.9 %')
    """
    return (
        "over 99.9 %" if share > 0.999 else f"{100 * share:.3g} %" if share >= 0.1 else f"{100 * share:.2g} %"
    )
