"""Every code that a verdict can give as its reason, with what it means and what to do: one list for code, report and docs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What a code means and what to do about it.

    situation: `too early`, `could not see` or `never seen before` of what is not known; `broken` of a failure, `holds` of a pass with a note; `the run itself` of what only a whole run can have.
    """

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
        "absent": ("the symptom does not show and its rate is below the budget, but nothing recorded from before shows that it ever did", "record before the next deployment: proofbook collect ENV --phase before"),
    }),
    **_each(TOO_EARLY, {
        "too-early": ("the samples so far fit both answers", "collect as many more as the finding says, or wait until the time that it gives"),
        "too-little-history": ("there are too few quiet windows of the same length to say how often such a suspect occurs when nothing is wrong", "look at a log that reaches further back, give one from before (before= of pb.look), or ask about a shorter window"),
        "too-few-samples": ("there are fewer samples than the method needs", "collect more, or find out why they fail"),
    }),
    **_each(NEVER_SEEN, {
        "never-seen": ("the symptom did not show before either, so its absence now proves nothing", "give evidence from before in which it shows, or an example line that proves the pattern"),
    }),
    **_each(COULD_NOT_SEE, {
        "no-evidence": ("a table that the check reads was not recorded, or is empty", "record that phase"),
        "no-samples": ("nothing was tried", "check what the environment allows"),
        "no-token": ("every connection was rejected with an authentication status, and the environment names no token", "name what it needs: a token (token = { env = \"NAME\" } in the environment, or --token-env NAME), or a header such as Origin (headers, or --origin URL)"),
        "token-unproven": ("every connection was rejected with an authentication status, and nothing proves that the token is valid", "check token and path; if both worked before the deployment, prove it: proofbook run ENV --before RUN"),
        "token-expired": ("every connection was rejected with an authentication status, and the token has expired by its own claim", "issue a new token, then run again"),
        "token-changed": ("every connection was rejected with an authentication status, and the token is not the one with which an earlier run was let in", "check the new token; the finding says which run was let in, and when"),
        "token-worked": ("every connection was rejected with an authentication status, although an earlier run was let in with the same token", "issue a new token and run again: if that is let in, the old one expired or was revoked; if not, the server refuses good tokens"),
        "good-token-refused": ("the good token is refused like bad ones, so nothing shows that the server accepts any", "check the token, and where the server expects it: --header NAME=env:VARIABLE, --query NAME=env:VARIABLE, or token of the websocket in the environment, such as token = { in = \"first_message\" }"),
        "no-endpoint": ("every answer says that there is no WebSocket or page at this path, or none for this client, and nothing proves that there ever was one", "check the path, and whether it needs a login (sends_token = true, or headers of the service); if it worked before the deployment, prove it: proofbook run ENV --before RUN"),
        "settings-changed": ("what answered an earlier run is gone or refuses everybody, and that run used other settings", "set what the finding names as it was in that run, then run again: if that fails too, it is the system"),
        "not-understood": ("every connection was rejected as a bad request (HTTP 400 and the like, or a close code before any message), which a missing header or parameter would explain, and nothing proves that any client was ever let in", "read what the server said; state what it needs for the websocket in the environment: subprotocols, query, headers (such as Origin) or dialect (or --subprotocol, --query, --header, --origin, --dialect); if it worked before the deployment, prove it: proofbook run ENV --before RUN"),
        "asked-wrongly": ("every request was rejected as a bad request (HTTP 400 and the like), also one to a path that must not exist, which a missing header would explain, and nothing proves that the service was ever healthy", "read what the server said; state what it needs for the service in the environment: headers (such as Host), cert_file and key_file, or another url; if it worked before the deployment, prove it: proofbook run ENV --before RUN"),
        "any-path": ("the server also connects at a path that must not exist, so nothing shows that this one is an endpoint", "if the server ignores the path, set any_path = true for the websocket in the environment; else check the path"),
        "probes-refused": ("marked probes were refused, and unmarked ones were let in", "if only browsers are let in, state what they send, such as Origin: --origin URL, or headers of the websocket in the environment; else let the probes in (their User-Agent is proofbook-probe), or find out what stops them, such as a firewall"),
        "too-many-at-once": ("connections were rejected by name (such as 1013, try again later) while others were open, as by a limit per client", "lower [pace] concurrency in the environment, to as low as 1, then run again"),
        "same-client": ("all probes name the same client in the address, and connections failed while another of them was open, as on a server that serves one connection of each client", "let each probe name a client of its own: --query NAME={id}, or query = { NAME = \"{id}\" } of the websocket in the environment; or lower [pace] concurrency to 1, then run again"),
        "kept-out": ("from one moment on every request was refused, as by a rate limit of a firewall, or after a token expired", "find out what blocks this address, and allow it or lower [pace] per_s in the environment; if the token expires that soon, name one that lasts; then run again"),
        "never-heard": ("connections are made, and nothing is ever received on them, not even at their close", "find out whether the service behind the upgrade is alive; state what it sends for the websocket in the environment: greeting, or send and expect"),
        "long-answer": ("the page did not answer in time while other paths did, as for a long poll or a stream", "if it is one, name another page for health: proofbook try URL, or health of the service in the environment; if not, the service is slow to answer"),
        "silent-to-all": ("every client is connected, with a good token, a bad one or none, and nothing is sent to any, as by a server that waits for a first message with the token", "if the server waits for a first message with the token, state that message for the websocket in the environment: token = { in = \"first_message\", format = '{\"token\": \"{token}\"}' }, or opening, and how it refuses: refusal; else state what it sends to those whom it lets in: greeting, or send and expect. If it sends nothing, it lets everybody in"),
        "challenged": ("the answer was a challenge page of a firewall, which asks whether a person is there", "let the probes through the firewall (their User-Agent is proofbook-probe), lower [pace] per_s, or name an address behind it"),
        "was-starting": ("the health page first said that the service was not ready, and was healthy later", "run again now that it is up"),
        "end-unstated": ("the server closed connections before the probe did, with 1000 or 1001, and nothing states whether that is normal", "if it is normal, set normal_close_codes = [1000, 1001] for the websocket in the environment; if it is not, normal_close_codes = []"),
        "greeted-with-error": ("the first message of the server on every connection reports an error", "read what it says; if a healthy server greets like that, state greeting = { regex = \".\" } for the websocket in the environment"),
        "told-of-errors": ("on more connections than may fail the server sent an error before any request", "read what it says; if that is usual, state greeting = { regex = \".\" } for the websocket in the environment"),
        "half-well": ("the health page reports a state between healthy and unhealthy, or another page answers in its place, such as a login or one of metrics", "read what it names; if that state is acceptable, set health_expect for the service in the environment; if it is another page, name the health page: proofbook try URL/path"),
        "mixed-answers": ("more of the answers that count as healthy than may fail are unlike the others: they report a problem in a part, say nothing of their health, or are another page, as from one faulty instance of several", "find out which instance answers so: ask each by its own address; if it is normal, state which answers count, in the environment: health_expect = { regex = \"…\" } of the service, or lower the target of health in the case"),
        "stranger-refused": ("clients that look like a browser, or offer no compression, were rejected", "find out why the server rejects such clients, since users have them; if only the Origin differs from that of your pages, state it: --origin URL, or headers = { Origin = \"https://…\" } of the websocket"),
        "no-trust": ("the certificate is signed by an authority that is not known here, and nothing proves that clients know it", "name the authority: --ca FILE, or ca_file of the service; if clients know no more than this machine, let the server send its intermediate certificates"),
        "other-name": ("the certificate is for another name than the requested one, which is an address or a short name", "use the name that its users use: in url of the service, or --server-name NAME, or server_name of the service"),
        "client-certificate": ("the server requires a client certificate", "name one: --cert FILE --key FILE, or cert_file and key_file of the service"),
        "other-protocol": ("the port speaks another protocol than the requested one", "read which it is; set http:// or https:// in url of the service, or name a port that speaks HTTP/1.1. Of a server of gRPC state health_method = \"gRPC\" with health = \"/grpc.health.v1.Health/Check\""),
        "stale-copy": ("a cache answered in place of the service", "bypass the cache: name the service's own address as url, or let it send Cache-Control: no-store for its health page"),
        "stale-page": ("the timestamp of the health page is old and does not change, so the page is stale", "find out what writes the page, or which cache keeps it; if its checks run so rarely, or the timestamp means something else, set health_max_age_s of the service"),
        "unknown-word": ("the health page reports a state in an unknown word", "if it means healthy, state it for the service in the environment: health_expect = { json = { status = \"WORD\" } }; otherwise find out what is wrong"),
        "no-control": ("nothing shows that this check could have failed", "give it fails_on, a mutant or a control"),
        "no-deployment": ("no deployment was found, so before and after cannot be distinguished", "set [deployment] time or revision in the case, or name a [deployments] document"),
        "other-settings": ("the earlier run that is the evidence from before used other settings, which may explain the difference", "set what the finding names as it was in that run, or record before again: proofbook collect ENV --phase before"),
        "no-before-window": ("the window of before is empty or later than the deployment", "check [deployment] time in the case"),
        "no-revision": ("answers do not name their revision", "set revision_path in the environment"),
        "no-log": ("the log could not be read", "repair the log source in the environment"),
        "no-requests": ("the log holds no request entries", "name a log source with request entries"),
        "no-messages": ("no message of that kind was received", "check whether connections are made, and `when` in the case"),
        "no-metrics": ("the metrics page gave too few readings", "check that it answers and holds the metric"),
        "several-series": ("the metric has several series per instance, which the recorded evidence does not distinguish", "record again, or set memory_metric to a metric with one series"),
        "no-definition": ("there is no API definition to compare", "check `openapi` of the service in the environment"),
        "not-described": ("no recorded answer is described by the API definition", "describe the health page in it, or name described paths in `timed` of the service"),
        "no-certificate": ("the service showed no certificate", "check that it answers, and that its url begins with https://"),
        "no-answer": ("tries got neither a greeting nor an explicit rejection", "find out why connections fail"),
        "nothing-connected": ("no connection got far enough to show the symptom", "find out why connections fail"),
        "not-tried": ("nothing of this kind was tried", "give the environment a [login], or let it send bad tokens"),
        "idle-end": ("the server ended idle connections, and nothing states how long they must stay open", "if that is too early, state it: held_s in [asks] of the case; if it is meant, state normal_close_codes of the websocket, or turn held off in [asks]"),
        "no-way": ("an address could not be reached from this machine", "probe from a machine that can reach it, such as by IPv6"),
        "own-words": ("the server answered with a message of its own, or closed normally, which may be a rule of the application", "read what it said; if the application should accept such messages, fix it, else turn this check off in [asks] of the case"),
        "not-echoed": ("no reply repeats the text of the message, so nothing shows whether it is kept", "state a message whose reply repeats the text: {text} in expect of the websocket"),
        "not-probed": ("the rollout was not probed", "record it: proofbook collect ENV --phase rollout"),
        "not-decidable": ("the definitions do not say enough to decide, or use what is not supported", "read what the statement names; describe it in both definitions"),
        "not-finite": ("readings are missing, infinite or not numbers", "check what the service reports"),
        "all-identical": ("all samples are identical to the last digit, which real measurements never are", "check for a cache, or a stopped clock"),
        "clock": ("times run backwards, so order and age are unknown", "synchronize the clock of the machine that probes"),
        "unnamed-refusal": ("a bad token was rejected without an authentication status (401, 403, close 1008, 3000 or 4401)", "if that is how the server rejects bad tokens, state it: refusal of the websocket (http_status, close_code or message); else let it reject them with 401, 403, or close 1008, 3000 or 4401; a time-out proves nothing"),
        "unclear-answer": ("tries got neither a greeting nor an explicit rejection", "find out why connections fail"),
        "log-silent": ("nothing was written in the window", "check that the service logs, and that this is its log"),
        "log-cut": ("the export hit a limit", "raise the limit, page through, or narrow the window"),
        "log-starts-late": ("the beginning of the window is missing from the log", "export the whole window"),
        "log-ends-early": ("the end of the window is missing from the log", "wait until it has been delivered, then read the log again"),
        "log-gap": ("the log has a gap that is unusual for this source", "find out what was lost"),
        "log-few": ("too few entries to tell a silence from missing entries", "read a longer piece of the log"),
        "log-no-messages": ("the log holds requests and no messages", "export the output of the service too"),
        "log-empty-bodies": ("most entries have no body", "export the payloads too"),
        "log-unread": ("lines without a readable time could hold what must be absent", "state the format of these lines (pattern, or time_zone or utc_offset where only the time zone is missing), or use one writer per file"),
        "log-no-canary": ("none of this run's trace ids is in the log", "check that it is the log of this system, and that it is delivered in time"),
        "old-serves": ("another revision than the one that is judged still serves, serves again, or still writes the symptom", "let the fixed revision serve all users, then read the log again; if another revision carries the fix, name it in [deployment] revision"),
        "not-met": ("there were nearly no requests where the symptom occurred before (its endpoint, its client)", "wait for requests there, or send some to the fixed revision"),
        "little-met": ("there was so much less traffic than before that no request may have met the symptom", "read the log again when there is as much traffic as before"),
        "level-silent": ("nothing is written any more at the level of the symptom or below, so the symptom would not be either", "write the log at the level of before"),
        "log-thinned": ("the log holds only a small share of the messages of before, so the symptom may be left out too", "write the log without sampling"),
        "replaced": ("a new warning or error is about as frequent as the symptom was", "look at it: if it is the same defect in other words, add it to the symptoms"),
        "errors-remain": ("requests end in a server error about as often as with the symptom", "find out what causes them"),
        "quiet-phase": ("at this hour, day or week the symptom was silent before too", "read the log again at the time that the finding gives"),
        "shorter-silence": ("the symptom paused for as long before, between two occurrences", "wait until the time that the finding gives"),
        "vanishing": ("the symptom had nearly stopped before the deployment", "wait until the time that the finding gives"),
        "not-tied": ("a line matches, or a kind of error is new, and nothing ties it to the fixed revision, to the defect or to a request of a user", "read the line; narrow the pattern, or log revisions, traces and clients"),
        "log-clock": ("entries are dated later than they were read", "write times in UTC, or set time_zone or utc_offset"),
        "wrong-table": ("a collector wrote a table that does not match its schema", "report it to the author of the collector; the sentence names table and column"),
        "voided": ("an open risk of the case voids this result", "close the risk, or remove `voids` from it"),
        "control-positive": ("the probe, or the pattern, was not shown to detect what it looks for", "read the control in the finding"),
        "control-negative": ("something passes that must fail", "read the control in the finding"),
        "control-liveness": ("the source was not shown to be alive and complete", "read the control in the finding"),
        "control-comparability": ("before and after, or probes and users, are not comparable", "read the control in the finding"),
        "control-before": ("the check passes on the evidence from before too, when the defect was there", "read the control in the finding"),
        "control-mutation": ("the check passes on evidence that was broken on purpose", "read the control in the finding"),
    }),
    **_each(BROKEN, {
        "still-there": ("the symptom still shows on the fixed revision", "read the example"),
        "below-target": ("more attempts failed than the target allows", "read the failed samples"),
        "bad-token-accepted": ("a bad token was accepted", "fix this first: anyone may be able to connect"),
        "wrong-answer": ("a user id was accepted or rejected contrary to the table of the case", "check the service that decides on user ids"),
        "unusual-message": ("messages of some length, or with some characters, are not answered, and ordinary ones are", "read the example in the finding"),
        "at-once": ("connections are answered when open alone, and not when others are open", "read how they ended; check whether connections block each other or share state"),
        "compression": ("connections with permessage-deflate, or those without, fail more often than the others", "read how they ended; check what compresses messages, such as a proxy"),
        "address": ("an address of the host name does not lead to the service, and others do", "let the service listen there, or take the address out of DNS"),
        "held": ("idle connections end earlier than they must, or no longer answer", "look for a time limit on idle connections in the service and in proxies before it"),
        "indicator-absent": ("a log line that a healthy system writes is missing", "read the log"),
        "more-errors": ("more requests end in a server error than before", "see which requests, and since when"),
        "new-error": ("a kind of error is new since the deployment", "read the sample"),
        "slower": ("the median latency grew beyond the margin", "see the latency chart"),
        "leak": ("memory grows beyond the budget", "see the memory chart"),
        "restarts": ("processes restart without a deployment", "find out why they end"),
        "downtime": ("the service was down for longer than the budget", "see the rollout"),
        "dropped": ("held connections were closed with a code that is not allowed", "check how instances drain connections"),
        "old-revision": ("an old revision still answers", "check how traffic is split"),
        "breaking-change": ("something that clients use was removed or narrowed", "restore it, or change the clients first"),
        "answer-differs": ("an answer does not match the API definition", "fix the service, or its definition"),
        "schema": ("messages do not match their schema", "read the example"),
        "certificate": ("clients reject the certificate, or soon will", "renew it"),
        "over-budget": ("a figure is beyond its budget", "see the figure in the finding"),
    }),
    **_each(RUN, {
        "unfinished": ("the run has not ended, or its process was killed", "continue with the command that its sentence names"),
        "not-judged": ("the run holds evidence and was not judged", "judge it with the command that its sentence names"),
        "locked": ("another process is writing this run", "wait until it has ended, then try again"),
        "time-out": ("the run, or the whole command, was not done within its time", "continue with the command that its sentence names, or give more time: --run-timeout, --total-timeout"),
        "interrupted": ("the run was interrupted", "continue with the command that its sentence names"),
        "partial": ("only some notebooks were executed, so required checks were not judged", "run it without --notebook"),
        "nothing-required": ("no required check was judged", "state a fix in the case, or mark a service as critical"),
        "missing": ("no notebook judged a check that the run must judge", "add it to a notebook (book.check), and run that"),
        "notebook": ("a notebook did not finish", "read its last cell in the report"),
        "could-not-look": ("collecting or judging stopped early", "read the sentence of the run"),
        "usage": ("a file or an option was wrong, and this was noticed only after the run had begun", "read the sentence of the run"),
        "secret-found": ("a file of the run holds a secret, so the report was deleted", "rotate the secret; add a pattern to `redact` in the environment; delete the run and run again"),
        "unreadable": ("run.json was altered, or written by another version", "inspect the file, or delete the run"),
        "no-room": ("the disk is full, or a quota reached", "make room where the sentence says, then run again"),
        "internal-error": ("an unexpected error: a missing permission, or a defect", "read the traceback in the file that the sentence names"),
        "extension": ("something that another package registers cannot be used", "read the sentence, which names the package; fix or uninstall it"),
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
