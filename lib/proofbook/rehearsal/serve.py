"""Runs one of the rehearsal's services: `python -m proofbook.rehearsal.serve backend 8123`."""

from __future__ import annotations

import sys

import uvicorn


def main() -> None:
    service, port = sys.argv[1], int(sys.argv[2])
    uvicorn.run(
        f"proofbook.rehearsal.{service}:app",
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        ws="websockets-sansio",
        ws_ping_interval=None,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
