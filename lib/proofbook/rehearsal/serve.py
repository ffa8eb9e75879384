"""Runs one of the rehearsal's services on a socket that listens already: `python -m proofbook.rehearsal.serve backend 5`, its number."""

from __future__ import annotations

import os
import socket
import sys

import uvicorn

from proofbook.rehearsal.lifeline import end_with_parent


def main() -> None:
    end_with_parent()
    service, listening = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    certificate, key = (os.environ.get(f"REHEARSAL_{name}") for name in ("CERTIFICATE", "KEY"))
    config = uvicorn.Config(
        f"proofbook.rehearsal.{service}:app",
        log_level="critical",
        access_log=False,
        ws="websockets-sansio",
        ws_ping_interval=None,
        timeout_graceful_shutdown=3,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
