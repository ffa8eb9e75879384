"""Prints the rehearsal's log as a platform's export would: `python -m proofbook.rehearsal.export UP_FOLDER`.

With the fault log-truncated it stops at 1,000 entries, newest first, as an export with a limit does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LIMIT = 1000


def main() -> None:
    up = Path(sys.argv[1])
    state = json.loads((up / "state.json").read_text(encoding="utf-8"))
    lines = (up / "logs" / "backend.jsonl").read_text(encoding="utf-8").splitlines()
    if "log-truncated" in state["faults"]:
        lines = lines[::-1][:LIMIT]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
