"""Takes over reworded sentences into the recorded findings.

Refuses where anything else of a finding is another than it was, but for a control that was added; a change of a verdict on
purpose names the findings that it is about: python tests/reword.py websocket-connection
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from recorded import GOLDEN, NAMES, differences, evidence_of, judged_again, recorded


def main() -> None:
    """Rewrites every findings.json.

    Raises:
        SystemExit: a fact differs.
    """
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            again = judged_again(name, evidence_of(name, to=Path(folder) / "evidence"))
        wrong = set(differences(recorded(name), again)) - set(sys.argv[1:])
        if wrong:
            sys.exit(
                f"{name}: more than sentences differs in {', '.join(sorted(wrong))}; nothing was written for it"
            )
        evidence = {item["id"]: item["evidence"] for item in recorded(name)}
        again = [{**item, "evidence": evidence.get(item["id"], item["evidence"])} for item in again]
        text = json.dumps(again, indent=1, ensure_ascii=False) + "\n"
        (GOLDEN / name / "findings.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
