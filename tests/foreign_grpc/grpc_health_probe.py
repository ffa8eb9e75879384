"""What a package that watches gRPC services brings: settings, tables and steps, by name."""

from __future__ import annotations

from pydantic import Field

from proofbook.config.fields import SecretReference
from proofbook.config.probes import Collector, Probe
from proofbook.config.references import TextOrReference


class GrpcProbe(Probe):
    """`[[probe]] kind = "grpc"`: a server and the services of it whose health is asked."""

    address: TextOrReference
    services: list[str] = Field(default_factory=lambda: [""])
    checks: int = Field(default=60, ge=1)
    token: SecretReference | None = None


COLLECTOR = Collector(
    settings=GrpcProbe,
    tables="grpc_health_collector:TABLES",
    steps="grpc_health_collector:steps",
)
