"""A gRPC server (grpcio) with the usual health service: python grpc_app.py PORT. BROKEN: it says that it serves nothing. SILENT: it has none."""

from __future__ import annotations

import os
import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
servicer = health.HealthServicer()
says = health_pb2.HealthCheckResponse
for name in ("", "chat.Threads"):
    servicer.set(name, says.NOT_SERVING if os.environ.get("BROKEN") else says.SERVING)
if not os.environ.get("SILENT"):
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
