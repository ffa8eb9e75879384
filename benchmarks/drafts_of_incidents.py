"""Drafts of cases tried on recorded incidents of systems that nobody here wrote: `python benchmarks/drafts_of_incidents.py FOLDER [--only NAME …]`.

FOLDER holds `incident-*/` with logs.csv.gz and truth.json, and `baseline-*/` of quiet time, as `benchmarks/incidents.py` reads them. Of
each incident a case is drafted from its log alone, with the quiet time of its day as what came before. It is then judged over the log of the
incident, followed by

- `well`: the quiet time of another day, as if the fix had been deployed between: it should pass;
- `again`: the log of another incident of the same service and kind, where there is one: it should fail.

Times of what follows are moved. truth.json is opened when the draft stands, to know which is which.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import proofbook as pb
from proofbook.collect.logs.entries import connect, table
from proofbook.collect.logs.reader import read_logs
from proofbook.collect.logs.recorder import record
from proofbook.config.case import Case
from proofbook.config.duckdb_text import quoted
from proofbook.config.environment import Environment
from proofbook.config.sources import LogSource
from proofbook.errors import ProofbookError
from proofbook.evidence import store
from proofbook.investigation.draft import Draft
from proofbook.judge.findings import Finding, Verdict
from proofbook.selfcheck.drafting import worst
from proofbook.validation import Assessment

WELL, AGAIN = "well", "again"
WANTED = {WELL: Verdict.PASS, AGAIN: Verdict.FAIL}
# Between what was before the deployment and what comes after; and for how long the log goes on when the window has ended.
PAUSE, GOES_ON = pd.Timedelta(milliseconds=20), pd.Timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some entries of a Parquet file: from when to when."""

    file: Path
    begins: pd.Timestamp
    ends: pd.Timestamp

    @classmethod
    def of(cls, file: Path) -> Part:
        with connect() as engine:
            found = table(engine, f"SELECT min(timestamp) AS a, max(timestamp) AS b FROM read_parquet({quoted(str(file))})").iloc[0]  # fmt: skip
        first, last = found["a"], found["b"]
        return cls(file=file, begins=pd.Timestamp(first), ends=pd.Timestamp(last))

    def entries(self, *, at: pd.Timestamp | None = None) -> str:
        """SQL for its entries; their times moved so that they begin then."""
        first, last = (f"TIMESTAMPTZ {quoted(moment.isoformat())}" for moment in (self.begins, self.ends))
        moved = 0 if at is None else (at - self.begins) // pd.Timedelta(microseconds=1)
        return f"(SELECT * REPLACE (timestamp + to_microseconds({moved}) AS timestamp) FROM read_parquet({quoted(str(self.file))}) WHERE timestamp BETWEEN {first} AND {last})"


def read(folder: Path, to: Path) -> Part:
    """The log of a folder as Parquet."""
    [log] = folder.glob("logs.*")
    file = to / f"{folder.name}.parquet"
    reading = read_logs(LogSource(name="log", file=str(log)), base=Path(), to=file)
    assert not reading.problem, reading.problem
    return Part.of(file)


def draft_of(incident: Part, quiet: Part, to: Path) -> Draft:
    """What is drafted by one who knows nothing: of what went wrong, else of the message that is new."""
    before = to / "before.parquet"
    with connect() as engine:
        engine.execute(f"COPY {quiet.entries()} TO {quoted(str(before))} (FORMAT parquet)")
    seen = pb.look(incident.file, before=before)
    bad = seen.where("wrong")
    try:
        return bad.draft("incident")
    except ProofbookError:
        changed = seen.changes().table
        new = [] if changed.empty else changed.loc[changed["change"].isin(["new", "more"]), "what"].tolist()
        if not new:
            raise
        return seen.where(template=new[0]).draft("incident")


def judged(draft: Draft, incident: Part, after: Part, to: Path) -> list[Finding]:
    """The claims of a draft over an incident, and what followed it."""
    to.mkdir(parents=True, exist_ok=True)
    began = incident.ends + PAUSE
    rows = f"SELECT timestamp, severity_text AS severity, coalesce(header, '') || coalesce(body, '') AS message, trace_id, service_instance_id FROM ({incident.entries()} UNION ALL BY NAME {after.entries(at=began)}) ORDER BY timestamp"
    with connect() as engine:
        whole = table(engine, rows)
    whole["timestamp"] = whole["timestamp"].map(pd.Timestamp.isoformat)
    whole.to_json(to / "log.json", orient="records", lines=True)
    case = Case.model_validate(
        {**tomllib.loads(draft.text), "deployment": {"time": (began - PAUSE / 2).to_pydatetime()}}
    )
    source = LogSource(name="log", file="log.json")
    tables, _ = record([source], case.log_patterns(), base=to, folder=to)
    ended = (began + (after.ends - after.begins) - GOES_ON).to_pydatetime()
    store.write_phase(to, environment="e", phase="after", tables=tables, recorded=store.Phase(started=ended, ended=ended))  # fmt: skip
    environment = Environment.model_validate({"name": "e", "log": [{"name": "log", "file": "log.json"}]})
    return [item for item in Assessment.of(environment, case, store.read(to), base=to).judge_all() if item.kind == "fix"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", help="names of incidents")
    options = parser.parse_args()
    counted: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="proofbook-") as made:
        to = Path(made)
        names = [folder.name for folder in sorted(options.folder.glob("incident-*"))]
        parts = {folder.name: read(folder, to) for folder in sorted(options.folder.glob("*-*")) if folder.is_dir()}  # fmt: skip
        truths = {name: json.loads((options.folder / name / "truth.json").read_text(encoding="utf-8")) for name in names}  # fmt: skip
        print("| incident | symptoms of the draft | well again | the same again |\n|---|---|---|---|")
        for name in names:
            if options.only and name not in options.only:
                continue
            usual = truths[name]["baseline"]
            other = next(
                folder for folder in sorted(parts) if folder.startswith("baseline-") and folder != usual
            )
            try:
                draft = draft_of(parts[name], parts[usual], to)
            except ProofbookError as error:
                counted[("no draft", "")] += 1
                print(f"| {name} | **none**: {str(error)[:120]} | | |", flush=True)
                continue
            follows = {WELL: parts[other], **following(name, truths, parts)}
            told = {}
            for which, after in follows.items():
                claims = judged(draft, parts[name], after, to / name / which)
                found = worst(claims)
                why = ", ".join(dict.fromkeys(claim.reason for claim in claims if claim.verdict is found and claim.reason))  # fmt: skip
                told[which] = f"{found.value} ({why})" if why else found.value
                counted[(which, found.value)] += 1
            shown = "<br>".join(f"`{sign.in_words[:100]}`" for sign in draft.signs)
            print(f"| {name} | {shown} | {' | '.join(told.get(which, '–') for which in (WELL, AGAIN))} |", flush=True)  # fmt: skip
    print()
    for (which, verdict), count in sorted(counted.items()):
        is_right = which in WANTED and WANTED[which].value == verdict
        print(f"{which}: {verdict} {count}{', as it should' if is_right else ''}")


def following(name: str, truths: dict[str, dict[str, str]], parts: dict[str, Part]) -> dict[str, Part]:
    """The other incidents that a draft is held against."""
    mine = truths[name]
    same = [other for other, truth in truths.items() if other != name and (truth["service"], truth["kind"]) == (mine["service"], mine["kind"])]  # fmt: skip
    return {AGAIN: parts[same[0]]} if same else {}


if __name__ == "__main__":
    main()
