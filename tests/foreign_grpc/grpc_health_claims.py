"""What the gRPC package claims of the services that it asks."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from grpc_health_probe import GrpcProbe

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.judge import Check, Control, View, claims, success_rate


@claims("grpc", title="Are the gRPC services healthy?")
def grpc_checks(environment: Environment, case: Case) -> Iterator[Check]:
    """A check for each service of each probe."""
    for probe in environment.probes:
        if isinstance(probe, GrpcProbe):
            yield from (_check(probe, service, case) for service in probe.services)


def _check(probe: GrpcProbe, service: str, case: Case) -> Check:
    def mine(rows: pd.DataFrame) -> pd.Series:
        return (rows["probe"] == probe.name) & (rows["service"] == service) & (rows["kind"] == "health")

    return Check(
        id=f"grpc-{probe.name}-{service.lower().replace('.', '-') or 'server'}",
        kind="guard",
        claim=f"{service or 'the gRPC server'} is serving",
        recipe=success_rate(
            "grpc_health",
            lambda rows: rows["ok"],
            where=mine,
            target=case.targets.health,
            fails_on={"ok": False},
            unit="health checks",
            what="were answered SERVING",
            controls=lambda view: [unknown_is_refused(view, probe.name)],
        ),
        required=True,
    )


def unknown_is_refused(view: View, probe: str) -> Control:
    """A server that calls a service healthy that does not exist says so of everything."""
    rows = view.need("grpc_health")
    asked = rows[(rows["probe"] == probe) & (rows["kind"] == "unknown-service")]
    codes = sorted(set(asked["code"]))
    return Control(
        kind="negative",
        name="a service that does not exist",
        guards=("pass",),
        expected="NOT_FOUND",
        got=", ".join(codes) or "not asked",
        held=codes == ["NOT_FOUND"],
    )
