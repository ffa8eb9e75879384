"""Checks of WebSocket endpoints: connection, authentication, refusal, delivery, user ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proofbook import connections
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks import (
    access,
)
from proofbook.judge.checks.probe_controls import (
    all_of,
    normal_end_known,
    shadow_control,
)
from proofbook.judge.checks.success_rate import success_rate


def websocket_checks(socket: WebSocket, environment: Environment, case: Case) -> Iterator[Check]:
    suffix = f"-{socket.name}" if len(environment.websockets) > 1 else ""
    critical = environment.service(socket.service).critical
    greeted = socket.greeting is not None

    def here(rows: Any) -> Any:
        return rows["endpoint"] == socket.name

    def connected(rows: Any) -> Any:
        return connections.connected(rows, socket, max_connection_s=environment.rollout.max_connection_s)

    broken = {"upgraded": False, "greeted": False}
    # It greets, answers, and ends the connection: what a probe that looks at the greeting alone takes for success.
    thrown_out = {"with 1011": _ended(1011), "without a close frame": _ended(1006)}
    shows_token = socket.token.place != "none"
    way_in = access.way_in_known(
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
            also_fails_on=thrown_out,
            unit="connections",
            what="were made",
            planned=True,
            tells_endings=True,
            controls=all_of(
                way_in,
                normal_end_known(
                    here,
                    connected,
                    lambda rows: connections.ended_unasked(rows, socket),
                    target=case.targets.connection,
                ),
                *([access.told_apart(socket.name)] if shows_token else []),
                shadow_control(socket.name, connected, target=case.targets.connection),
            ),
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
                also_fails_on=thrown_out,
                unit="logins",
                what="with a good token were let in",
                planned=True,
                tells_endings=True,
                controls=all_of(way_in, access.bad_tokens_refused(socket.name)),
            ),
            required=False,
        )
        yield guard(
            "websocket-refuses-bad-tokens",
            f"{socket.name} refuses bad tokens",
            access.refuses_tokens(socket.name, with_test_headers=False),
            required=True,
        )
        if socket.test_headers:
            yield guard(
                "websocket-refuses-test-headers",
                f"no test header opens {socket.name} to bad tokens",
                access.refuses_tokens(socket.name, with_test_headers=True),
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
            ),
            required=True,
        )
    if case.identities and socket is environment.websockets[0]:
        yield Check(
            id="identity-table",
            kind="guard",
            claim="user ids are let in and refused as the table says",
            group="websocket",
            recipe=access.identity_table(case.identities, way_in=way_in),
            required=critical,
            critical=critical,
        )


def _ended(code: int) -> dict[str, Any]:
    """How a row of `websocket` shows that the server ended the connection while the probe dwelt on it."""
    return {"close_code": code, "closed_by": "server", "closed_in": "dwell", "dwell_s": 0.0}
