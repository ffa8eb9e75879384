"""Asks gRPC services for their health by grpc.health.v1."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pandas as pd
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health_probe import GrpcProbe

from proofbook.collect.registry import Step, Task
from proofbook.collect.session import Session
from proofbook.evidence.table import TIME, Column, Table

GRPC_HEALTH = Table(
    "grpc_health",
    row="one call of Health/Check",
    columns=(
        Column("probe", "str", "name of the probe"),
        Column("service", "str", "the gRPC service that was asked for; empty: the whole server"),
        Column("kind", "str", "`health` or `unknown-service`"),
        Column("timestamp", TIME, "when it was asked"),
        Column("code", "str", "gRPC status of the call"),
        Column("status", "str", "health that it answered; empty: none"),
        Column("ok", "bool", "whether it answered SERVING"),
        Column("total_s", "float64", "time of the call", "s"),
    ),
)
TABLES = (GRPC_HEALTH,)
# No server has this one: a server that calls it healthy says so of everything.
UNKNOWN = "proofbook.NoSuchService"
UNKNOWN_TRIES = 3
ROUND_CHECKS = 10


def steps(task: Task) -> Iterator[Step]:
    """A step for each service of the probe."""
    probe = task.probe
    assert isinstance(probe, GrpcProbe)
    count = min(probe.checks, ROUND_CHECKS) if task.is_round else probe.checks
    for service in probe.services:

        async def run(session: Session, service: str = service) -> dict[str, pd.DataFrame]:
            return {GRPC_HEALTH.name: await _ask_all(probe, service, count, session)}

        yield Step(
            says=f"{count} health checks of {service or 'the whole server'}, and {UNKNOWN_TRIES} of a service that must not exist",
            requests=count + UNKNOWN_TRIES,
            run=run,
        )


async def _ask_all(probe: GrpcProbe, service: str, count: int, session: Session) -> pd.DataFrame:
    metadata = [("authorization", f"Bearer {session.value(probe.token)}")] if probe.token else []
    asked = [("health", service)] * count + [("unknown-service", UNKNOWN)] * UNKNOWN_TRIES
    rows = []
    async with grpc.aio.insecure_channel(session.value(probe.address)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for kind, name in asked:
            async with session.acquire("grpc calls"):
                at, began = pd.Timestamp.now("UTC"), time.perf_counter()
                code, status = await _ask(stub, name, metadata, session.environment.pace.timeout_s)
            rows.append(
                {
                    "probe": probe.name,
                    "service": service,
                    "kind": kind,
                    "timestamp": at,
                    "code": code,
                    "status": status,
                    "ok": status == "SERVING",
                    "total_s": time.perf_counter() - began,
                }
            )
    return GRPC_HEALTH.frame(rows)


async def _ask(
    stub: health_pb2_grpc.HealthStub, service: str, metadata: list[tuple[str, str]], timeout_s: float
) -> tuple[str, str]:
    """The code of a call, and the health that it answered."""
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        answer = await stub.Check(request, metadata=metadata, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        return error.code().name, ""
    return "OK", health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
