"""JUnit XML: one test case per finding. An inconclusive is never a pass: a failure of its own type
where it is required, else skipped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

from proofbook.judge.findings import Finding, Verdict

# XML 1.0 cannot hold these at all.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(run: dict[str, Any], findings: Iterable[Finding]) -> str:
    """The XML text of a run. A waived finding is skipped, with who waived it."""
    items = list(findings)
    suite = ET.Element(
        "testsuite", name=f"{run['environment']}: {run['case'] or 'no case'}", timestamp=run["started"]
    )
    for item in items:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"{run['environment']}.{item.group}",
            name=_text(f"{item.id}: {item.claim}"),
        )
        if item.waived:
            ET.SubElement(case, "skipped", message=_text(item.waived))
        elif item.verdict is Verdict.ERROR:
            ET.SubElement(case, "error", type="error", message=_text(item.statement))
        elif item.verdict is Verdict.INCONCLUSIVE and not item.required:
            ET.SubElement(case, "skipped", message=_text(f"not required: {item.statement}"))
        elif item.verdict is not Verdict.PASS:
            needed = f"; needed: {item.needed.what}" if item.needed else ""
            ET.SubElement(case, "failure", type=item.verdict.value, message=_text(item.statement + needed))
    if run["verdict"] == "error":
        case = ET.SubElement(suite, "testcase", classname=f"{run['environment']}.run", name="the run itself")
        ET.SubElement(case, "error", type=run["reason"], message=_text(run["sentence"]))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _text(value: str) -> str:
    return _NOT_XML.sub("�", value)
