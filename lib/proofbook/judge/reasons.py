"""Every code that a verdict can give as its reason, with what it means and what to do: one list for code, report and docs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """situation: `too early`, `could not see`, `never seen before`; `broken` for a failure, `holds` for a pass with a note; `the run itself` for what only a run as a whole can have."""

    situation: str
    means: str
    do: str


TOO_EARLY, COULD_NOT_SEE, NEVER_SEEN, BROKEN, HOLDS, RUN = (
    "too early", "could not see", "never seen before", "broken", "holds", "the run itself",
)  # fmt: skip


def _each(situation: str, reasons: dict[str, tuple[str, str]]) -> dict[str, Reason]:
    return {code: Reason(situation=situation, means=means, do=do) for code, (means, do) in reasons.items()}


REASONS: dict[str, Reason] = {
    **_each(HOLDS, {
        "absent": ("nothing recorded from before says that the symptom was ever there; its rate now is below the budget", "record before the next deployment: proofbook collect ENV --phase before"),
    }),
    **_each(TOO_EARLY, {
        "too-early": ("the samples so far agree with both answers", "collect as many more as the finding says, or wait until the time that it gives"),
        "too-few-samples": ("fewer samples than the method needs at all", "collect more, or see why they fail"),
    }),
    **_each(NEVER_SEEN, {
        "never-seen": ("the symptom did not show before either, so its absence now proves nothing", "evidence from before in which it shows, or an example line that proves the pattern"),
    }),
    **_each(COULD_NOT_SEE, {
        "no-evidence": ("a table that the check reads was not recorded, or is empty", "record that phase"),
        "no-samples": ("nothing was tried", "see what the environment allows"),
        "no-token": ("every connection was refused by name, and the environment names no token", "name a token: token = { env = \"NAME\" } in the environment, or --token-env NAME"),
        "token-unproven": ("every connection was refused by name, and nothing shows that the token is a good one", "check the token and the path; if both worked before, a run that recorded that makes this a failure: proofbook run ENV --before RUN"),
        "no-endpoint": ("every answer was that of an address where nothing is, or nothing for us, and nothing shows that anything ever was there", "check the path, and whether it wants a login; if it worked before, a run that recorded that makes this a failure: proofbook run ENV --before RUN"),
        "end-unstated": ("the server ended connections before the probe did, with 1000 or 1001, and nothing says that this is normal", "where it is, state normal_close_codes = [1000, 1001] for the websocket in the environment; where it is not, normal_close_codes = []"),
        "half-well": ("the health page itself says neither well nor ill", "see what it names; where that is well enough, state health_expect for the service in the environment"),
        "no-control": ("nothing shows that this check could have failed", "give it fails_on, or a control"),
        "no-deployment": ("no deployment was found, so nothing tells before from after", "state [deployment] time or revision in the case, or name a [deployments] document"),
        "no-before-window": ("the window of before is empty or lies after the deployment", "see [deployment] time in the case"),
        "no-revision": ("answers do not name their revision", "set revision_path in the environment"),
        "no-log": ("the log could not be read", "repair the source in the environment"),
        "no-requests": ("the log holds no request entries", "name a source that has them"),
        "no-messages": ("no message of that kind was received", "see whether anything connects, and `when` in the case"),
        "no-metrics": ("the metrics page gave too little", "see whether it answers and holds the metric"),
        "no-definition": ("there is no API definition to compare", "see openapi in the environment"),
        "no-certificate": ("no certificate was shown", "see whether the service answers, and whether its url begins with https://"),
        "no-answer": ("tries got neither a greeting nor a named refusal", "find out why nothing connects"),
        "nothing-connected": ("no connection got as far as the symptom could show", "find out why nothing connects"),
        "not-tried": ("nobody tried", "give the environment a [login], or let it send bad tokens"),
        "not-probed": ("the rollout was not watched", "record it: proofbook collect ENV --phase rollout"),
        "not-decidable": ("the definitions do not say enough", "describe the responses in the definition"),
        "not-finite": ("readings are missing, infinite or no numbers", "see what the service states"),
        "all-identical": ("every sample is the same to the last digit, which no measurement is", "see whether something answers from a cache, or the clock stands"),
        "clock": ("times jump back, so order and age are unknown", "see the clock of the machine that probes"),
        "unnamed-refusal": ("something refused, and did not say that it was for the token", "401, 403, close 1008 or 4401 name a refusal; a time-out does not"),
        "unclear-answer": ("tries got neither a yes nor a named no", "find out why nothing connects"),
        "log-silent": ("nothing was written in the window", "see whether the service logs, and whether this is its log"),
        "log-cut": ("the export hit a limit", "raise it, page through, or narrow the window"),
        "log-starts-late": ("the beginning of the window is not in the log", "export the whole window"),
        "log-ends-early": ("the end of the window is not in the log", "wait until it has arrived, then read it again"),
        "log-gap": ("a silence that is unusual for this source", "find out what was lost"),
        "log-no-messages": ("requests are there, messages are not", "export the service's own output too"),
        "log-empty-bodies": ("most entries have no body", "export the payloads too"),
        "log-unread": ("lines without a readable time could hold what is claimed absent", "state the format of these lines (pattern, or utc_offset where only the zone is missing), or have one writer per file"),
        "log-no-canary": ("what the probes sent is not in the log", "see whether it is this system's log and whether it lags"),
        "log-clock": ("entries are dated after they were read", "have times written in UTC, or set utc_offset"),
        "wrong-table": ("a collector wrote a table that is not what its schema says", "tell whoever wrote the collector: the sentence names table and column"),
        "voided": ("a risk that the case leaves open makes this worthless", "close the risk, or take `voids` away"),
        "control-positive": ("the probe, or the pattern, was not shown to see what it looks for", "see the control"),
        "control-negative": ("what must not pass passes too", "see the control"),
        "control-liveness": ("the source was not shown to be alive and complete", "see the control"),
        "control-comparability": ("before and after, or probes and users, are not alike enough", "see the control"),
        "control-before": ("the check passes on the evidence from before, when the defect was there", "see the control"),
        "control-mutation": ("the check passes on evidence that was broken on purpose", "see the control"),
    }),
    **_each(BROKEN, {
        "still-there": ("the symptom shows on the fixed revision", "read the example"),
        "below-target": ("failures are more than the target allows", "read the failed samples"),
        "bad-token-accepted": ("a bad token was let in", "close it before anything else"),
        "wrong-answer": ("an id was let in, or refused, against the table", "see the id manager"),
        "indicator-absent": ("a line of a healthy system is not written", "see the log"),
        "new-error": ("a kind of error is new since the deployment", "read the sample"),
        "slower": ("the median is beyond the margin", "see the chart of latencies"),
        "leak": ("memory grows beyond the budget", "see the chart of memory"),
        "restarts": ("processes take each other's place with no deployment", "see why they end"),
        "downtime": ("nothing answered for longer than the budget", "see the rollout"),
        "dropped": ("held sockets ended with a code that is not allowed", "see how instances drain"),
        "old-revision": ("an old revision still answers", "see how traffic is split"),
        "breaking-change": ("something that clients use was taken away", "restore it, or change the clients first"),
        "schema": ("messages do not fit their schema", "read the example"),
        "certificate": ("clients refuse the certificate, or soon will", "renew it"),
        "over-budget": ("a figure is beyond its budget", "see the figure"),
    }),
    **_each(RUN, {
        "unfinished": ("the run has not ended, or its process was ended", "go on with the command that its sentence names"),
        "interrupted": ("somebody stopped it", "go on with the command that its sentence names"),
        "partial": ("only some notebooks were executed, so required checks were not judged", "run it without --notebook"),
        "nothing-required": ("nothing that was judged is required", "state a fix in the case, or mark a service as critical"),
        "missing": ("a required check was judged by no notebook", "see which notebook should judge it, and run that"),
        "notebook": ("a notebook did not reach its end", "read its last cell in the report"),
        "could-not-look": ("collecting or judging broke off", "read the sentence"),
        "usage": ("a file or an option was wrong, and it was noticed only after the run had begun", "read the sentence"),
        "secret-found": ("a secret stands in a file of the run, so the report was taken back", "treat the secret as known to others; see `redact` in the environment"),
        "unreadable": ("run.json was altered, or written by another version", "see the file, or delete the run"),
        "internal-error": ("something broke that nobody foresaw: a full disk, a missing permission, or a defect", "read the traceback in the file that the sentence names"),
        "extension": ("something that another package registers cannot be used", "see the sentence, which names the package; mend or uninstall it"),
    }),
}  # fmt: skip


def situation(code: str) -> str:
    """Which situation a reason belongs to, in the words that readers learn.

    >>> situation("too-early"), situation("log-cut")
    ('too early', 'could not see')
    """
    return REASONS[code].situation if code in REASONS else COULD_NOT_SEE


def as_markdown() -> str:
    """The list as the page `docs/reasons.md`."""
    parts = [
        "# Why a verdict is what it is\n\nEvery finding that is not a plain pass gives one of these codes, and so does every run. This page is written by `python -m proofbook.judge.reasons`.\n"
    ]
    for name in (TOO_EARLY, COULD_NOT_SEE, NEVER_SEEN, BROKEN, HOLDS, RUN):
        rows = [
            f"| `{code}` | {item.means} | {item.do} |"
            for code, item in REASONS.items()
            if item.situation == name
        ]
        title = name[:1].upper() + name[1:]
        parts.append("\n".join([f"## {title}\n", "| code | means | do |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    print(as_markdown(), end="")
