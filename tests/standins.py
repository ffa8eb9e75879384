"""Small programs that stand in for gcloud, kubectl and docker: they print recorded entries and enforce the real limits.

Each is told by variables: RECORDED (a file of JSON lines with `timestamp`), CALLS (a file to which it adds its arguments),
and what it shall do wrong. Run as `python standins.py gcloud …`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Each call of a program begins with the imports of this file.
    import pytest

PROGRAMS = ("gcloud", "kubectl", "docker")


def put_on_path(folder: Path, recorded: list[dict[str, Any]], patch: pytest.MonkeyPatch, **told: str) -> Path:
    """Puts the programs first on PATH, with what they print; gives the file of their calls."""
    programs, file, calls = folder / "bin", folder / "recorded.jsonl", folder / "calls"
    programs.mkdir()
    file.write_text("".join(json.dumps(entry) + "\n" for entry in recorded))
    calls.write_text("")
    for name in PROGRAMS:
        path = programs / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {name} "$@"\n')
        path.chmod(0o755)
    patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for key, value in {"RECORDED": str(file), "CALLS": str(calls), **told}.items():
        patch.setenv(key, value)
    return calls


def _entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(os.environ["RECORDED"]).read_text().splitlines()]


def _option(name: str, default: str = "") -> str:
    found = [word.partition("=")[2] for word in sys.argv if word.startswith(f"--{name}=")]
    return found[-1] if found else default


def gcloud() -> int:
    """`gcloud logging read`: one day and newest first by itself; regular expressions and bounds of time in its filter."""
    query = sys.argv[4]
    calls = Path(os.environ["CALLS"]).read_text().count("\n")
    if calls > int(os.environ.get("QUOTA", "1000000")):
        print("ERROR: (gcloud.logging.read) RESOURCE_EXHAUSTED: Quota exceeded for quota metric 'Read requests'", file=sys.stderr)  # fmt: skip
        return 1
    if os.environ.get("LOGIN"):
        # Reads from the terminal, as programs that ask for a password do.
        try:
            with Path("/dev/tty").open() as terminal:
                terminal.readline()
        except OSError:
            print("ERROR: (gcloud.logging.read) There was a problem refreshing your current auth tokens: Reauthentication failed.", file=sys.stderr)  # fmt: skip
            return 1
    bounds = dict(re.findall(r'timestamp([<>])="([^"]+)"', query))
    patterns = [text.replace("\\\\", "\\").replace('\\"', '"') for text in re.findall(r'textPayload=~"((?:[^"\\]|\\.)*)"', query)]  # fmt: skip
    found = _entries()
    if not bounds and _option("order", "desc") == "desc":
        newest = max(entry["timestamp"] for entry in found)
        day = (dt.datetime.fromisoformat(newest) - dt.timedelta(days=1)).isoformat()
        found = [entry for entry in found if entry["timestamp"] >= day]
    found = [
        entry
        for entry in found
        if (not bounds or bounds[">"] <= entry["timestamp"] <= bounds["<"])
        and (not patterns or any(re.search(pattern, entry.get("textPayload", "")) for pattern in patterns))
    ]
    found.sort(key=lambda entry: str(entry["timestamp"]), reverse=_option("order", "desc") == "desc")
    print(json.dumps(found[: int(_option("limit", "1000000"))], indent=2))
    return 0


def kubectl() -> int:
    """`kubectl logs --selector`: ten lines by itself; what came before a restart only with --previous, and whose a line is only with --prefix."""
    if "--previous" in sys.argv and not os.environ.get("RESTARTED"):
        print("Error from server (BadRequest): previous terminated container not found", file=sys.stderr)
        return 1
    which = "previous" if "--previous" in sys.argv else "current"
    since = _option("since-time")
    before = "[pod/api-5d4f-x1/app] " if "--prefix" in sys.argv else ""
    lines = [
        f"{before}{entry['timestamp']} {entry['textPayload']}"
        for entry in _entries()
        if entry["timestamp"] >= since and entry.get("container", "current") == which
    ]
    tail = int(_option("tail", "10"))
    print("\n".join(lines if tail < 0 else lines[-tail:]))
    return 0


def docker() -> int:
    """`docker logs`: what the container wrote to standard error comes on standard error."""
    if sys.argv[-1] != "api":
        print(f"Error response from daemon: No such container: {sys.argv[-1]}", file=sys.stderr)
        return 1
    for entry in _entries():
        if entry["timestamp"] >= _option("since"):
            stream = sys.stderr if "Error" in entry["textPayload"] else sys.stdout
            print(f"{entry['timestamp']} {entry['textPayload']}", file=stream, flush=True)
    return 0


if __name__ == "__main__":
    with Path(os.environ["CALLS"]).open("a") as calls:
        calls.write(json.dumps(sys.argv[1:]) + "\n")
    if os.environ.get("HANGS"):
        time.sleep(600)
    if os.environ.get("SAYS"):
        print(os.environ["SAYS"])
        sys.exit(0)
    sys.exit({"gcloud": gcloud, "kubectl": kubectl, "docker": docker}[sys.argv[1]]())
