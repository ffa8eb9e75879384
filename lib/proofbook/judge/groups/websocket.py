"""Checks of WebSocket endpoints: connection, authentication, refusal, delivery, user ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from proofbook import connections
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.evidence.asked import Asks
from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks import (
    access,
    addresses,
    at_once,
    compression,
    held,
    probe_effect,
    unusual_messages,
)
from proofbook.judge.checks.credentials import proven_at
from proofbook.judge.checks.error_messages import greets_well, tells_no_error
from proofbook.judge.checks.probe_controls import (
    all_of,
    normal_end_known,
    probes_let_in,
    room_for_all,
    shadow_control,
)
from proofbook.judge.checks.success_rate import MoreControls, success_rate
from proofbook.judge.registry import claims

_BROKEN = {"upgraded": False, "greeted": False}


@claims("websocket", title="Does WebSocket work, and only for those who may?")
def websocket_checks(environment: Environment, case: Case) -> Iterator[Check]:
    """The checks of every WebSocket endpoint."""
    for socket in environment.websockets:
        endpoint = _Endpoint(socket=socket, environment=environment, case=case)
        yield endpoint.connection()
        if endpoint.shows_token:
            yield endpoint.authentication()
            yield endpoint.refuses_bad_tokens()
            if socket.test_headers:
                yield endpoint.refuses_test_headers()
        if environment.delivers(socket):
            yield endpoint.delivery()
            yield from endpoint.unusual_messages()
        if count := connections.most_at_once(environment, case):
            yield endpoint.at_once(count)
        if connections.held_of_each(environment, case):
            yield endpoint.held()
        if case.asks.compression:
            yield endpoint.compression()
        if case.asks.addresses and environment.has_host_name(socket):
            yield endpoint.addresses()
        if case.identities and socket is environment.websockets[0]:
            yield endpoint.identities()


def _ended(code: int) -> dict[str, Any]:
    """How a row of `websocket` shows that the server ended the connection while the probe dwelt on it."""
    return {"close_code": code, "closed_by": "server", "closed_in": "dwell", "dwell_s": 0.0}


# It greets, answers, and ends the connection: what a probe that looks at the greeting alone takes for success.
_THROWN_OUT = {"with 1011": _ended(1011), "without a close frame": _ended(1006)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """One WebSocket endpoint, with each check that can be made of it."""

    socket: WebSocket
    environment: Environment
    case: Case

    @property
    def shows_token(self) -> bool:
        return self.socket.token.place != "none"

    @property
    def proven(self) -> MoreControls:
        return proven_at(self.socket, self.environment)

    @property
    def not_our_doing(self) -> MoreControls:
        """Controls of "it fails": it is not that our own connections are too many, beside each other or altogether."""
        return all_of(
            room_for_all(self.here, self.connected, at_once=self.environment.pace.concurrency),
            probe_effect.beside_our_own(self.socket, self.here, self.connected),
            probe_effect.not_kept_out(self.here, self.connected),
            probe_effect.not_challenged(self.here, self.connected),
        )

    def here(self, rows: Any) -> Any:
        """Which rows are of this endpoint."""
        return rows["endpoint"] == self.socket.name

    def connected(self, rows: Any) -> Any:
        """Which rows are of connections that held."""
        return connections.connected(
            rows, self.socket, max_connection_s=self.environment.rollout.max_connection_s
        )

    def ended_unasked(self, rows: Any) -> Any:
        """Which rows are of connections that the server ended cleanly, without anyone having called that normal."""
        return connections.ended_unasked(rows, self.socket)

    def connection(self) -> Check:
        """Connections are made, and greeted where a greeting is expected."""
        name, target = self.socket.name, self.case.targets.connection
        recipe = success_rate(
            "websocket",
            self.connected,
            where=self.here,
            target=target,
            fails_on=_BROKEN,
            also_fails_on=_THROWN_OUT,
            unit="connections",
            what="were made",
            planned=True,
            tells_endings=True,
            controls=all_of(
                self.proven,
                self.not_our_doing,
                probes_let_in(name, self.connected),
                greets_well(self.socket),
                tells_no_error(self.socket, self.here, target=target),
                held.heard_at_all(self.here),
                held.not_cut_short(
                    self.socket,
                    self.went_well,
                    held_s=self.case.asks.held_s,
                    max_connection_s=self.environment.rollout.max_connection_s,
                ),
                normal_end_known(self.here, self.connected, self.ended_unasked, target=target),
                *([access.probe_discriminates(name)] if self.shows_token else []),
                shadow_control(name, self.connected, target=target),
            ),
        )
        greeted = " and greeted" if self.socket.greeting is not None else ""
        return self._guard(
            "websocket-connection", f"connections to {name} are made{greeted}", recipe, required=True
        )

    def authentication(self) -> Check:
        """Good tokens are let in, and only those."""
        name = self.socket.name
        recipe = success_rate(
            "websocket",
            self.connected,
            where=self.here,
            target=self.case.targets.authentication,
            fails_on=_BROKEN,
            also_fails_on=_THROWN_OUT,
            unit="logins",
            what="with a good token were let in",
            planned=True,
            tells_endings=True,
            controls=all_of(
                self.proven,
                self.not_our_doing,
                probes_let_in(name, self.connected),
                access.bad_tokens_refused(name),
            ),
        )
        claim = f"{name} lets good tokens in, and only those"
        return self._guard("websocket-authentication", claim, recipe, required=False)

    def refuses_bad_tokens(self) -> Check:
        """Bad tokens are refused."""
        name = self.socket.name
        recipe = access.refuses_tokens(name, with_test_headers=False)
        return self._guard(
            "websocket-refuses-bad-tokens", f"{name} refuses bad tokens", recipe, required=True
        )

    def refuses_test_headers(self) -> Check:
        """Bad tokens are refused also beside a header that only tests send."""
        name = self.socket.name
        recipe = access.refuses_tokens(name, with_test_headers=True)
        claim = f"no test header opens {name} to bad tokens"
        return self._guard("websocket-refuses-test-headers", claim, recipe, required=True)

    def delivery(self) -> Check:
        """Every message is answered, in order and unaltered."""
        name, target = self.socket.name, self.case.targets.delivery
        recipe = success_rate(
            "websocket",
            _replied,
            where=self.here,
            target=target,
            fails_on={"reply_ok": False},
            unit="conversations",
            what="were answered in full, in order and unaltered",
            planned=True,
            tells_endings=True,
            controls=all_of(
                self.proven,
                probes_let_in(name, _replied),
                shadow_control(name, _replied, target=target),
            ),
        )
        return self._guard(
            "websocket-delivery", f"{name} answers every message correctly", recipe, required=True
        )

    def unusual_messages(self) -> Iterator[Check]:
        """Messages of other lengths and characters are answered too, where the message can hold such."""
        name, asks = self.socket.name, self.case.asks
        if not self.socket.carries_text:
            return
        if asks.message_bytes:
            recipe = unusual_messages.answered(name, Asks.SIZE)
            claim = f"{name} answers messages of up to {asks.message_bytes:,} bytes, or refuses them by name"
            yield self._guard("websocket-sizes", claim, recipe, required=False)
        if asks.characters:
            recipe = unusual_messages.answered(name, Asks.CHARACTERS)
            yield self._guard(
                "websocket-characters", f"{name} keeps characters beyond ASCII", recipe, required=False
            )

    def went_well(self, rows: Any) -> Any:
        """Which rows are of connections that held, and were answered where they spoke."""
        return _replied(rows) if self.environment.delivers(self.socket) else self.connected(rows)

    def compression(self) -> Check:
        """Connections with compression and without fare alike."""
        name = self.socket.name
        recipe = compression.works_both_ways(name, self.went_well)
        claim = f"{name} works with and without permessage-deflate"
        return self._guard("websocket-compression", claim, recipe, required=False)

    def addresses(self) -> Check:
        """Every address of its name leads to the endpoint."""
        name, host = self.socket.name, self.environment.host_of(self.socket) or ""
        recipe = addresses.each_leads_there(name, host=host)
        claim = f"every address of the name{f' {host}' if host else ''} leads to {name}"
        return self._guard("websocket-addresses", claim, recipe, required=False)

    def held(self) -> Check:
        """Idle connections stay open."""
        name, held_s = self.socket.name, self.case.asks.held_s
        recipe = held.stays_open(
            self.socket,
            self.went_well,
            held_s=held_s,
            max_connection_s=self.environment.rollout.max_connection_s,
        )
        long = f" for {held_s:g} s" if held_s else ""
        claim = f"idle connections to {name} stay open{long}"
        return self._guard("websocket-held", claim, recipe, required=False)

    def at_once(self, count: int) -> Check:
        """Connections that are open at once are each answered."""
        name = self.socket.name
        recipe = at_once.served_at_once(name, self.went_well, normal=connections.normal_codes(self.socket))
        claim = f"{name} answers {count:,} connections that are open at once"
        return self._guard("websocket-at-once", claim, recipe, required=False)

    def identities(self) -> Check:
        """User ids are let in and refused as the table of the case says."""
        critical = self.environment.service(self.socket.service).critical
        return Check(
            id="identity-table",
            kind="guard",
            claim="user ids are accepted and refused as the case says",
            recipe=access.identity_table(self.case.identities, proven=self.proven),
            required=critical,
            critical=critical,
        )

    def _guard(self, check_id: str, claim: str, recipe: Recipe, *, required: bool) -> Check:
        critical = self.environment.service(self.socket.service).critical
        suffix = f"-{self.socket.name}" if len(self.environment.websockets) > 1 else ""
        return Check(
            id=check_id + suffix,
            kind="guard",
            claim=claim,
            recipe=recipe,
            required=required and critical,
            critical=critical,
        )


def _replied(rows: Any) -> Any:
    return rows["reply_ok"]
