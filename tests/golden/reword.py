"""Takes over reworded sentences into the recorded findings. Refuses where anything else of a finding is another than it was."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from recorded import GOLDEN, NAMES, evidence_of, facts, judged_again, recorded

sys.path.insert(0, str(Path(__file__).parent.parent))


def main() -> None:
    """Rewrites every findings.json.

    Raises:
        SystemExit: a fact differs.
    """
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            again = judged_again(name, evidence_of(name, to=Path(folder) / "evidence"))
        old = {item["id"]: facts(item) for item in recorded(name)}
        new = {item["id"]: facts(item) for item in again}
        if old != new:
            wrong = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
            sys.exit(f"{name}: more than sentences differs in {', '.join(wrong)}; nothing was written for it")
        text = json.dumps(again, indent=1, ensure_ascii=False) + "\n"
        (GOLDEN / name / "findings.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
