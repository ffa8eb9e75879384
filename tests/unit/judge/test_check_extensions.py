"""Groups of checks of other packages: declared and judged like ours, and named where they cannot be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import install, packages
from recorded import GOLDEN, evidence_of

import proofbook.judge
from proofbook.errors import UnknownName
from proofbook.evidence import store
from proofbook.judge.findings import Finding, Verdict, of_notebooks
from proofbook.judge.registry import CLAIMS, group_titles
from proofbook.report import sections
from proofbook.report.result import Result, of_findings
from proofbook.validation import Assessment, Validation

GROUP = """
from proofbook.judge import Check, claims, success_rate

@claims("prompt", title="Do they answer promptly?")
def prompt(environment, case):
    for service in environment.services:
        yield Check(
            id=f"prompt-{service.name}",
            kind="guard",
            claim=f"{service.name} is prompt",
            recipe=success_rate(
                "health",
                lambda rows: rows["total_s"] <= 30,
                where=lambda rows: rows["service"] == service.name,
                target=0.5,
                fails_on={"total_s": 60.0},
            ),
        )
"""
RAISES = """
from proofbook.judge import Check, Judgement, Mutant, Recipe, Verdict, claims

def judge(view):
    raise KeyError("answered")

def passes(view):
    return Judgement(verdict=Verdict.PASS, statement="fine")

def change(view):
    raise ZeroDivisionError("no rows")

@claims("odd", title="Odd?")
def odd(environment, case):
    yield Check(id="odd-judge", kind="guard", claim="odd", recipe=Recipe(judge=judge), required=True)
    yield Check(id="odd-mutant", kind="guard", claim="odd", recipe=Recipe(judge=passes, mutants=(Mutant(name="m", change=change),)))
    yield Check(id="odd-words", kind="guard", claim="odd", recipe=Recipe(judge=lambda view: "fine"))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder in which packages are installed, for as long as the test takes."""
    with packages(tmp_path / "site") as folder:
        folder.mkdir()
        yield folder


def add(site: Path, code: str, *, name: str = "prompt", attribute: str = "prompt") -> None:
    """Installs a package with one group of checks."""
    # Which packages there are is asked once; this one came later.
    CLAIMS.__dict__.pop("_places", None)
    module = f"{name}_checks"
    install(
        site,
        module,
        entries={"proofbook.checks": {name: f"{module}:{attribute}"}},
        modules={f"{module}.py": code},
    )


# The services of the recorded evidence, and nothing that takes longer to judge: whose check it is makes the difference here.
SERVICES = """
[[service]]
name = "backend"
url = "http://127.0.0.1:9"
[[service]]
name = "frontend"
url = "http://127.0.0.1:9"
"""


def asked(folder: Path) -> Assessment:
    """Services over recorded evidence of healthy ones."""
    evidence = evidence_of("healthy", to=folder / "evidence")
    (folder / "services.toml").write_text(SERVICES)
    (folder / "case.toml").write_text('title = "t"\n')
    found = Validation.load(str(folder / "services.toml"), str(folder / "case.toml"), base=folder)
    return found.over(store.read(evidence))


def summary_of(assessment: Assessment) -> Result:
    """The result of a run whose notebooks judged everything that they could have asked for."""
    ours = [item for item in assessment.judge_all() if not item.id.startswith("extension-")]
    return of_findings(assessment, ours)


def judged(assessment: Assessment, check_id: str) -> Finding:
    return assessment.judge(assessment.checks[check_id])


def test_a_check_of_another_package_is_declared_expected_judged_and_shown_under_its_title(
    site: Path, tmp_path: Path
) -> None:
    add(site, GROUP)
    assessment = asked(tmp_path)
    found = judged(assessment, "prompt-backend")
    assert found.verdict is Verdict.PASS and found.group == "prompt" and found.severity is not None
    theirs = [f"prompt-{item.name}" for item in assessment.environment.services]
    assert list(assessment.checks)[-len(theirs) :] == theirs and set(theirs) <= set(assessment.missing([]))
    assert group_titles()["prompt"] == "Do they answer promptly?"
    assert "Do they answer promptly?" in sections.findings(summary_of(assessment)).html


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("raise RuntimeError('no licence')", "it cannot be imported (RuntimeError: no licence)"),
        ("prompt = 3", "expected a CheckGroup, got int"),
        (
            GROUP.replace("for service", "environment.kettles\n    for service"),
            "declaring its checks raised AttributeError: 'Environment' object has no attribute 'kettles'",
        ),
        (
            GROUP.replace("prompt-{service.name}", "health-backend"),
            "it declares the check 'health-backend', which Proofbook declares already",
        ),
        (
            GROUP.replace("environment.services", "environment.services * 2"),
            "it declares the check 'prompt-backend', which itself declares already",
        ),
        (GROUP.replace("yield Check(", "yield dict("), "expected a Check, got dict"),
    ],
)
def test_a_group_that_cannot_be_used_is_a_finding_that_names_it_and_the_rest_is_judged(
    code: str, sentence: str, site: Path, tmp_path: Path
) -> None:
    alone = summary_of(asked(tmp_path / "alone"))
    add(site, code)
    with_it = summary_of(asked(tmp_path / "with"))
    found = {item.id: item for item in with_it.findings}
    broken = found.pop("extension-prompt")
    assert broken.verdict is Verdict.ERROR and broken.reason == "extension" and not broken.required
    assert broken.statement == f"group of checks 'prompt' (prompt_checks:prompt of prompt_checks): {sentence}"
    assert [item.to_json() for item in found.values()] == [item.to_json() for item in alone.findings]
    assert with_it.overall.verdict is alone.overall.verdict
    assert with_it.overall.beside == (*alone.overall.beside, "extension-prompt")


def test_a_recipe_that_raises_is_an_error_with_one_sentence_and_no_crash(site: Path, tmp_path: Path) -> None:
    add(site, RAISES, name="odd", attribute="odd")
    assessment = asked(tmp_path)
    place = "odd_checks:odd of odd_checks"
    found = judged(assessment, "odd-judge")
    assert (found.verdict, found.reason, found.required) == (Verdict.ERROR, "extension", True)
    assert found.statement == f"{place}: judging odd-judge raised KeyError: 'answered'"
    assert (
        judged(assessment, "odd-mutant").statement
        == f"{place}: judging odd-mutant raised ZeroDivisionError: no rows"
    )
    assert judged(assessment, "odd-words").verdict is Verdict.ERROR
    assert summary_of(assessment).overall.verdict is Verdict.ERROR


def test_a_case_may_speak_of_a_check_of_a_package_that_is_broken_today(site: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.toml"
    case.write_text('title = "t"\n[checks.prompt-backend]\nrequired = true\n')
    where = str(GOLDEN / "files" / "environments" / "rehearsal.toml")
    with pytest.raises(UnknownName, match="there is no check 'prompt-backend'"):
        Validation.load(where, str(case), base=tmp_path)
    add(site, "raise RuntimeError('no licence')")
    found = Validation.load(where, str(case), base=tmp_path)
    assert {"prompt-backend", "extension-prompt"} <= found.expected


def test_findings_of_broken_extensions_are_carried_by_no_notebook() -> None:
    noted = [
        {"id": "a", "reason": ""},
        {"id": "b", "reason": "extension"},
        {"id": "c", "reason": "extension"},
    ]
    assert of_notebooks(noted, [{"id": "b"}]) == noted[:2]


def test_what_the_author_of_a_check_needs_is_exported_and_loaded_only_when_used() -> None:
    assert sorted(proofbook.judge.__all__) == proofbook.judge.__all__
    assert all(hasattr(proofbook.judge, name) for name in proofbook.judge.__all__)
    code = "import sys, proofbook.judge; sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError, match="no attribute 'Chek'"):
        _ = proofbook.judge.Chek
