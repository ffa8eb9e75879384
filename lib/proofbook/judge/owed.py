"""What a run owes: the checks that an environment and a case declare between them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from proofbook.case import Case, Symptom
from proofbook.environment import Environment, WebSocket
from proofbook.errors import UnknownName
from proofbook.judge import (
    agreement,
    certificates,
    contracts,
    gone,
    latency,
    log_coverage,
    log_novelty,
    log_signatures,
    memory,
    refusal,
    restarts,
    revisions,
    rollout,
)
from proofbook.judge.checks import Check, Recipe
from proofbook.judge.success import (
    Rows,
    all_of,
    health_path_known,
    shadow_control,
    success_rate,
    unknown_path_control,
)

# Normal closure, and going away.
CLEAN_CODES = (1000, 1001)
GROUPS = ("services", "websocket", "logs", "stability", "deployment", "contracts")


def check_files(environment: Environment, case: Case) -> None:
    """Everything that can be wrong between an environment and a case, found before anything is touched.

    Raises:
        ConfigurationError, UnknownName: as `declare`, and for message schemas that are none.
    """
    declare(environment, case)
    agreement.check_schemas(case)


def declare(environment: Environment, case: Case) -> dict[str, Check]:
    """Every check of this environment and case by id, with what the case says about each.

    Raises:
        ConfigurationError: the case speaks of a log source, a service or an endpoint that the environment does not have.
        UnknownName: the case's [checks] names one that does not exist.
    """
    agreement.check_names(environment, case)
    checks = {check.id: check for check in _all(environment, case)}
    for check_id, said in case.checks.items():
        if check_id not in checks and said.claim is None:
            raise UnknownName(
                "check",
                check_id,
                checks,
                where=f"[checks] of case {case.name}; one of your own needs a claim there",
            )
    checks = {check_id: as_the_case_says(check, case) for check_id, check in checks.items()}
    own = [check_id for check_id in case.checks if check_id not in checks]
    agreement.check_findings(case, [*checks, *own])
    return checks


def not_measured(environment: Environment, case: Case) -> list[str]:
    """What nobody should take for checked: what the case says, and what the environment leaves out, in sentences."""
    found = list(case.not_checked)
    for socket in environment.websockets:
        if socket.expect is None:
            found.append(f"Delivery over {socket.name} is not measured: state send and expect.")
        elif not environment.writes:
            found.append(f"Delivery over {socket.name} is not measured: writes = true would allow it.")
    return found


def owed_ids(case: Case, declared: Iterable[str]) -> set[str]:
    """The ids that a run must judge: the declared ones, and the case's own."""
    return {*declared, *case.checks}


def as_the_case_says(check: Check, case: Case) -> Check:
    """A check with the claim, the waiver and the weight that the case's [checks] gives it, and with what voids it."""
    said = case.checks.get(check.id)
    if said is not None:
        check = replace(
            check,
            claim=said.claim or check.claim,
            required=check.required if said.required is None else said.required,
            waived_by=said.waived.by if said.waived else "",
            waived_until=said.waived.until if said.waived else None,
        )
    void = next(
        (risk.title for risk in case.risks if risk.status != "resolved" and check.id in risk.voids), ""
    )
    return replace(check, voided_by=void) if void else check


def _all(environment: Environment, case: Case) -> Iterator[Check]:
    yield from _services(environment, case)
    for socket in environment.websockets:
        yield from _websocket(socket, environment, case)
    yield from _fixes(environment, case)
    yield from _logs(environment, case)
    yield from _stability(environment, case)
    yield from _deployment(environment, case)
    yield from _contracts(environment, case)


def _services(environment: Environment, case: Case) -> Iterator[Check]:
    for item in environment.services:
        check_id = f"health-{item.name}"
        recipe = success_rate(
            "health",
            lambda rows: rows["ok"],
            where=_of("service", item.name, kind="health"),
            target=case.targets.health,
            fails_on={"ok": False},
            unit="health requests",
            what="were answered as healthy",
            planned=True,
            tells_endings=True,
            controls=all_of(health_path_known(item.name), unknown_path_control(item.name)),
        )
        yield Check(
            id=check_id,
            kind="guard",
            claim=f"{item.name} is healthy",
            group="services",
            recipe=recipe,
            required=item.critical,
            critical=item.critical,
        )
        if item.is_encrypted:
            yield Check(
                id=f"certificate-{item.name}",
                kind="guard",
                claim=f"the certificate of {item.name} is valid for a while",
                group="services",
                recipe=certificates.valid(item.name, least_days=case.budgets.certificate_days),
                critical=item.critical,
            )


def _websocket(socket: WebSocket, environment: Environment, case: Case) -> Iterator[Check]:
    suffix = f"-{socket.name}" if len(environment.websockets) > 1 else ""
    critical = environment.service(socket.service).critical
    greeted = socket.greeting is not None

    def here(rows: Any) -> Any:
        return rows["endpoint"] == socket.name

    def connected(rows: Any) -> Any:
        # Where nothing greets, a connection that the server throws out while one dwells was not one.
        kept = rows["closed_by"].ne("server") | rows["close_code"].isin(CLEAN_CODES).fillna(False)
        return rows["upgraded"] & (rows["greeted"].fillna(False).astype(bool) if greeted else kept)

    broken = {"upgraded": False, "greeted": False}
    shows_token = socket.token.place != "none"
    way_in = refusal.way_in_known(
        socket.name,
        shows_token=shows_token,
        issues_tokens=environment.login is not None and environment.login.url is not None,
    )

    def guard(check_id: str, claim: str, recipe: Recipe, *, required: bool) -> Check:
        return Check(
            id=check_id + suffix,
            kind="guard",
            claim=claim,
            group="websocket",
            recipe=recipe,
            required=required and critical,
            critical=critical,
        )

    yield guard(
        "websocket-connection",
        f"connections to {socket.name} are made" + (" and greeted" if greeted else ""),
        success_rate(
            "websocket",
            connected,
            where=here,
            target=case.targets.connection,
            fails_on=broken,
            unit="connections",
            what="were made",
            planned=True,
            tells_endings=True,
            controls=all_of(
                way_in,
                *([refusal.told_apart(socket.name)] if shows_token else []),
                shadow_control(socket.name, connected, target=case.targets.connection),
            ),
            extra_tables=("shadow", "refusals"),
        ),
        required=True,
    )
    if shows_token:
        yield guard(
            "websocket-authentication",
            f"{socket.name} lets good tokens in, and only those",
            success_rate(
                "websocket",
                connected,
                where=here,
                target=case.targets.authentication,
                fails_on=broken,
                unit="logins",
                what="with a good token were let in",
                planned=True,
                tells_endings=True,
                controls=all_of(way_in, refusal.bad_tokens_refused(socket.name)),
                extra_tables=("refusals",),
            ),
            required=False,
        )
        yield guard(
            "websocket-refuses-bad-tokens",
            f"{socket.name} refuses bad tokens",
            refusal.refuses_tokens(socket.name, with_test_headers=False),
            required=True,
        )
        if socket.test_headers:
            yield guard(
                "websocket-refuses-test-headers",
                f"no test header opens {socket.name} to bad tokens",
                refusal.refuses_tokens(socket.name, with_test_headers=True),
                required=True,
            )
    if environment.delivers(socket):
        yield guard(
            "websocket-delivery",
            f"{socket.name} answers every message rightly",
            success_rate(
                "websocket",
                lambda rows: rows["reply_ok"],
                where=here,
                target=case.targets.delivery,
                fails_on={"reply_ok": False},
                unit="conversations",
                what="were answered in full, in order and unaltered",
                planned=True,
                controls=all_of(
                    way_in,
                    shadow_control(socket.name, lambda rows: rows["reply_ok"], target=case.targets.delivery),
                ),
                extra_tables=("shadow", "refusals"),
            ),
            required=True,
        )
    if case.identities and socket is environment.websockets[0]:
        yield Check(
            id="identity-table",
            kind="guard",
            claim="user ids are let in and refused as the table says",
            group="websocket",
            recipe=refusal.identity_table(case.identities, way_in=way_in),
            required=critical,
            critical=critical,
        )


def _fixes(environment: Environment, case: Case) -> Iterator[Check]:
    most = case.budgets.absent_rate
    for fix in case.fixes:
        for symptom in fix.symptoms:
            claim, group, recipe = _symptom(environment, symptom, most)
            yield Check(
                id=symptom.check_id,
                kind="fix",
                claim=claim,
                group=group,
                recipe=recipe,
                required=True,
                fix=fix.id,
            )


def _symptom(environment: Environment, symptom: Symptom, most: float) -> tuple[str, str, Recipe]:
    if symptom.close_code is not None:
        sends = all(
            environment.delivers(socket)
            for socket in environment.websockets
            if symptom.websocket in (None, socket.name)
        )
        recipe = gone.close_code_gone(
            symptom.close_code,
            endpoint=symptom.websocket,
            sends=sends,
            tolerated_rate=symptom.tolerated_rate,
            absent_rate=most,
        )
        return f"connections no longer close with {symptom.close_code}", "websocket", recipe
    if symptom.refused_user is not None:
        return (
            f"{symptom.refused_user} is no longer refused",
            "websocket",
            gone.refusal_gone(symptom.refused_user, absent_rate=most),
        )
    return (
        f"“{symptom.log}” is gone from the log",
        "logs",
        log_signatures.gone(symptom, source=_source(environment, symptom.source), absent_rate=most),
    )


def _logs(environment: Environment, case: Case) -> Iterator[Check]:
    reads = any(symptom.log for fix in case.fixes for symptom in fix.symptoms)
    for source in environment.logs:
        suffix = f"-{source.name}" if len(environment.logs) > 1 else ""
        recipe = log_coverage.covers(source.name, fixes=reads)
        yield Check(
            id=f"log-coverage{suffix}",
            kind="guard",
            claim=f"the log {source.name} covers what is claimed from it",
            group="logs",
            recipe=recipe,
            required=reads or not environment.services,
        )
        if environment.services:
            yield Check(
                id=f"log-error-rate{suffix}",
                kind="guard",
                claim=f"few requests in the log {source.name} end in a server error",
                group="logs",
                recipe=log_signatures.error_rate(source=source.name, most=case.budgets.error_rate),
            )
        if case.fixes:
            yield Check(
                id=f"log-new-errors{suffix}",
                kind="guard",
                claim=f"no kind of error in the log {source.name} is new since the deployment",
                group="logs",
                recipe=log_novelty.no_new_errors(source.name),
            )
    for indicator in case.indicators:
        recipe = log_signatures.present(indicator, source=_source(environment, indicator.source))
        yield Check(
            id=f"log-{indicator.id}-present",
            kind="guard",
            claim=f"{indicator.title or indicator.id}: “{indicator.log}” is written",
            group="logs",
            recipe=recipe,
        )


def _stability(environment: Environment, case: Case) -> Iterator[Check]:
    budgets = case.budgets
    for item in environment.services:
        for path in item.timed:
            recipe = latency.not_slower(item.name, path, ratio=budgets.latency_ratio)
            yield Check(
                id=f"latency-{item.name}-{_slug(path)}",
                kind="guard",
                claim=f"{path} of {item.name} is not slower than before",
                group="stability",
                recipe=recipe,
                critical=item.critical,
            )
            yield Check(
                id=f"latency-tail-{item.name}-{_slug(path)}",
                kind="guard",
                claim=f"few requests to {path} of {item.name} take much longer than they used to",
                group="stability",
                recipe=latency.tail_kept(item.name, path, times=budgets.slow_times, share=budgets.slow_share),
                critical=item.critical,
            )
        if item.metrics:
            recipe = memory.stable(
                item.name, budget_mb=budgets.memory_growth_mb, horizon_min=budgets.memory_horizon_min
            )
            yield Check(
                id=f"memory-{item.name}",
                kind="guard",
                claim=f"{item.name} does not leak memory",
                group="stability",
                recipe=recipe,
                critical=item.critical,
            )
            yield Check(
                id=f"restarts-{item.name}",
                kind="guard",
                claim=f"processes of {item.name} stay up",
                group="stability",
                recipe=restarts.few(item.name, allowed=budgets.restarts),
                critical=item.critical,
            )
    for socket in environment.websockets:
        if environment.delivers(socket):
            suffix = f"-{socket.name}" if len(environment.websockets) > 1 else ""
            recipe = success_rate(
                "websocket",
                lambda rows: rows["reply_s"] <= budgets.reply_s,
                where=_sent_to(socket.name),
                target=0.95,
                fails_on={"reply_s": budgets.reply_s * 2},
                unit="first replies",
                what=f"came within {budgets.reply_s:g} s",
            )
            yield Check(
                id=f"websocket-reply-time{suffix}",
                kind="guard",
                claim=f"{socket.name} replies within {budgets.reply_s:g} s",
                group="stability",
                recipe=recipe,
                critical=environment.service(socket.service).critical,
            )


def _deployment(environment: Environment, case: Case) -> Iterator[Check]:
    budgets = case.budgets
    for item in environment.services:
        if item.revision_path and case.fixes:
            yield Check(
                id=f"deployment-revision-{item.name}",
                kind="guard",
                claim=f"a new revision of {item.name} serves, and no old one",
                group="deployment",
                recipe=revisions.new_one_serves(item.name, expected=case.deployment.revision),
                critical=item.critical,
            )
        if item.critical and case.fixes and environment.rollout.held_sockets and item.revision_path:
            yield Check(
                id=f"rollout-downtime-{item.name}",
                kind="guard",
                claim=f"{item.name} was not down during the rollout",
                group="deployment",
                recipe=rollout.no_downtime(item.name, budget_s=budgets.downtime_s),
            )
    for socket in environment.websockets:
        if environment.rollout.held_sockets and case.fixes:
            recipe = rollout.held_sockets(
                socket.name,
                target=case.targets.held_sockets,
                allowed=environment.rollout.allowed_close_codes,
                max_connection_s=environment.rollout.max_connection_s,
            )
            yield Check(
                id=f"rollout-held-{socket.name}",
                kind="guard",
                claim=f"sockets of {socket.name} held through the rollout were closed as allowed",
                group="deployment",
                recipe=recipe,
            )
    if environment.deployments is not None and case.fixes:
        if budgets.image_ratio is not None:
            yield Check(
                id="deployment-image",
                kind="guard",
                claim="the image is smaller",
                group="deployment",
                recipe=revisions.shrunk(
                    "image_bytes", ratio=budgets.image_ratio, what="image", unit_bytes=1e6, unit="MB"
                ),
                critical=False,
            )
        if budgets.memory_limit_ratio is not None:
            yield Check(
                id="deployment-memory-limit",
                kind="guard",
                claim="the memory limit is lower",
                group="deployment",
                recipe=revisions.shrunk(
                    "memory_limit_bytes",
                    ratio=budgets.memory_limit_ratio,
                    what="memory limit",
                    unit_bytes=2**20,
                    unit="MiB",
                ),
                critical=False,
            )
        if budgets.start_up_s is not None and case.deployment.started_log:
            yield Check(
                id="deployment-start-up",
                kind="guard",
                claim="the new revision starts quickly",
                group="deployment",
                recipe=revisions.starts_within(case.deployment.started_log, budget_s=budgets.start_up_s),
                critical=False,
            )


def _contracts(environment: Environment, case: Case) -> Iterator[Check]:
    for item in environment.services:
        if item.openapi and case.fixes:
            yield Check(
                id=f"contract-{item.name}-openapi",
                kind="guard",
                claim=f"clients of {item.name}'s old API still work",
                group="contracts",
                recipe=contracts.openapi_kept(item.name),
                critical=item.critical,
            )
    for message in case.messages:
        schema = json.loads((case.folder / message.json_schema).read_text(encoding="utf-8"))
        recipe = contracts.messages_valid(
            schema, when=message.when, endpoint=message.websocket, what=message.id
        )
        yield Check(
            id=f"contract-message-{message.id}",
            kind="guard",
            claim=f"{message.id} messages fit their schema",
            group="contracts",
            recipe=recipe,
        )


def _source(environment: Environment, named: str | None) -> str | None:
    return named or (environment.logs[0].name if len(environment.logs) == 1 else None)


def _of(column: str, name: str, *, kind: str) -> Rows:
    return lambda rows: (rows[column] == name) & (rows["kind"] == kind)


def _sent_to(endpoint: str) -> Rows:
    return lambda rows: (rows["endpoint"] == endpoint) & (rows["sent"] > 0)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
