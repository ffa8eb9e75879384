"""JUnit XML, as Jenkins and GitLab read it: one test case per finding. An inconclusive is never a pass: a failure of its
own type where it is required, unless the caller wants it skipped; skipped where it is not."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Literal

from proofbook.judge.findings import Finding, Verdict
from proofbook.runs.record import RunRecord

InconclusiveAs = Literal["failure", "skipped"]
# XML 1.0 cannot hold these at all.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(
    run: RunRecord, findings: Iterable[Finding], *, inconclusive_as: InconclusiveAs = "failure"
) -> str:
    """The XML text of a run. A waived finding is skipped, with who waived it."""
    return _text_of([_suite(run, findings, inconclusive_as=inconclusive_as)])


def render_all(
    runs: Iterable[RunRecord],
    errors: Mapping[str, tuple[str, str]],
    *,
    inconclusive_as: InconclusiveAs = "failure",
) -> str:
    """The XML text of several runs, and of environments that have none, by name: a reason and a sentence."""
    suites = [_suite(run, run.findings, inconclusive_as=inconclusive_as) for run in runs]
    for name, (reason, sentence) in errors.items():
        suite = ET.Element("testsuite", name=_text(name))
        _error(suite, name, reason, sentence)
        suites.append(_counted(suite))
    return _text_of(suites)


def _suite(run: RunRecord, findings: Iterable[Finding], *, inconclusive_as: InconclusiveAs) -> ET.Element:
    suite = ET.Element(
        "testsuite",
        name=_text(f"{run.environment}: {run.case or 'no case'}"),
        timestamp=run.started,
        id=run.run_id,
        time=f"{_seconds(run):.3f}",
    )
    for item in findings:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_text(f"{run.environment}.{item.group or item.kind}"),
            name=_text(f"{item.id}: {item.claim}"),
            time="0",
        )
        _say(case, item, inconclusive_as=inconclusive_as)
    if run.verdict is Verdict.ERROR:
        _error(suite, run.environment, run.reason, run.sentence)
    return _counted(suite)


def _error(suite: ET.Element, environment: str, reason: str, sentence: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=_text(f"{environment}.run"), name="the run itself", time="0")  # fmt: skip
    ET.SubElement(case, "error", type=reason, message=_text(sentence))


def _counted(suite: ET.Element) -> ET.Element:
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    return suite


def _text_of(suites: Iterable[ET.Element]) -> str:
    whole = ET.Element("testsuites", name="proofbook")
    whole.extend(suites)
    ET.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(whole, encoding="unicode") + "\n"


def _say(case: ET.Element, item: Finding, *, inconclusive_as: InconclusiveAs) -> None:
    """What became of a finding: nothing is added to one that passed."""
    needed = f"; needed: {item.needed.what}" if item.needed else ""
    said = _text(item.statement + needed)
    if item.waived:
        ET.SubElement(case, "skipped", message=_text(item.waived))
    elif item.verdict is Verdict.ERROR:
        ET.SubElement(case, "error", type="error", message=said).text = _details(item)
    elif item.verdict is Verdict.INCONCLUSIVE and not item.required:
        ET.SubElement(case, "skipped", message=_text(f"not required: {item.statement}"))
    elif item.verdict is Verdict.INCONCLUSIVE and inconclusive_as == "skipped":
        ET.SubElement(case, "skipped", message=_text(f"inconclusive: {item.statement}{needed}"))
    elif item.verdict is not Verdict.PASS:
        # GitLab shows the text, Jenkins the message.
        ET.SubElement(case, "failure", type=item.verdict.value, message=said).text = _details(item)


def _details(item: Finding) -> str:
    """What one needs to know of a finding that does not pass, as lines."""
    lines = [f"{item.verdict.value}: {item.claim}", item.statement]
    lines += [f"required: {item.threshold}"] if item.threshold else []
    lines += [f"needed: {item.needed.what}"] if item.needed else []
    lines += [f"reason: {item.reason}"] if item.reason else []
    lines += [
        f"control {control.kind}, {control.name}: expected {control.expected}, got {control.got}"
        for control in item.controls
        if not control.held
    ]
    return _text("\n".join(lines))


def _seconds(run: RunRecord) -> float:
    if not run.ended:
        return 0.0
    return (dt.datetime.fromisoformat(run.ended) - dt.datetime.fromisoformat(run.started)).total_seconds()


def _text(value: str) -> str:
    return _NOT_XML.sub("�", value)
