"""Runs one of the rehearsal's services: `python -m proofbook.rehearsal.serve backend 8123`."""

from __future__ import annotations

import os
import sys

import uvicorn


def main() -> None:
    service, port = sys.argv[1], int(sys.argv[2])
    certificate, key = (os.environ.get(f"REHEARSAL_{name}") for name in ("CERTIFICATE", "KEY"))
    uvicorn.run(
        f"proofbook.rehearsal.{service}:app",
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        ws="websockets-sansio",
        ws_ping_interval=None,
        timeout_graceful_shutdown=3,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


if __name__ == "__main__":
    main()
