"""Writes Google Cloud Logging entries, one JSON object a line, as `gcloud logging read --format=json` shows them."""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from pathlib import Path
from typing import Any

PROJECT = "proofbook-rehearsal"


class CloudLog:
    """One service's revision writing to one file, whole lines only."""

    def __init__(self, path: Path, *, service: str, revision: str, silent: bool = False) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._silent = silent
        self._resource = {
            "type": "cloud_run_revision",
            "labels": {
                "project_id": PROJECT,
                "service_name": service,
                "revision_name": revision,
                "location": "loopback",
            },
        }
        self._log_name = f"projects/{PROJECT}/logs/run.googleapis.com%2F"

    def text(self, body: str, *, severity: str | None = None, trace: str | None = None) -> None:
        """A `textPayload` entry; many real lines carry their severity only in the text."""
        self._write("stdout", {"textPayload": body}, severity, trace)

    def structured(self, message: str, *, severity: str, trace: str | None = None, **fields: Any) -> None:
        """A `jsonPayload` entry."""
        self._write("stderr", {"jsonPayload": {"message": message, **fields}}, severity, trace)

    def request(
        self, *, method: str, url: str, status: int, latency_s: float, user_agent: str, trace: str | None
    ) -> None:
        """A request entry, as the platform's front end writes it."""
        request = {
            "requestMethod": method,
            "requestUrl": url,
            "status": status,
            "latency": f"{latency_s:.6f}s",
            "userAgent": user_agent,
            "protocol": "HTTP/1.1",
        }
        severity = "ERROR" if status >= 500 else "WARNING" if status >= 400 else "INFO"
        self._write("requests", {"httpRequest": request}, severity, trace)

    def _write(self, log: str, payload: dict[str, object], severity: str | None, trace: str | None) -> None:
        if self._silent:
            return
        now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        entry: dict[str, object] = {
            "insertId": uuid.uuid4().hex[:20],
            "logName": self._log_name + log,
            "receiveTimestamp": now,
            "resource": self._resource,
            "timestamp": now,
            **payload,
        }
        if severity is not None:
            entry["severity"] = severity
        if trace is not None:
            entry["trace"] = f"projects/{PROJECT}/traces/{trace}"
        os.write(self._file, (json.dumps(entry, ensure_ascii=False) + "\n").encode())
