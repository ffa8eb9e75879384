"""The ways in which the rehearsal can be broken on purpose, and what an honest validation says of each.

Each is a way in which reports about real systems go wrong. HEALTHY holds the opposite: what looks odd and is well.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One seeded fault.

    verdict: of the whole run. finding: the check that should say so with that verdict; several where any of them may.
    miss: the chance that the shipped plan overlooks it; miss_because says how that follows.
    rate: how often it shows, where a pass is honest as long as its bound admits that much.
    in_rollout: it happens while the deployment rolls, so that phase is recorded anew. grows: it shows only in the course of time.
    suspect: what a look at its evidence should name among the first three, as it words it; for scoring looks alone, and empty
        where neither the log nor an answer to a probe shows the fault.
    """

    name: str
    what: str
    verdict: str
    finding: tuple[str, ...]
    why: str
    miss: float
    miss_because: str
    rate: float | None = None
    in_rollout: bool = False
    grows: bool = False
    suspect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthy:
    """A way of being well that must not be called broken.

    verdict: what is honest; `inconclusive` where so little happens that more would be a guess.
    traffic: how much of the usual traffic. before_too: it was so before the deployment. restarts: how many the case allows.
    max_connection_s: what the environment says of the platform.
    """

    name: str
    what: str
    verdict: str = "pass"
    traffic: float = 1.0
    before_too: bool = False
    in_rollout: bool = False
    restarts: int = 0
    max_connection_s: float | None = None


GONE = "websocket-1011-gone"
LOG_GONE = "log-recursion-gone"
DELIVERY = "websocket-delivery"
ALWAYS = "it shows in every try"
TENTH = "a tenth of 365 conversations is 36 failures, 12 are enough: below 1 in a million"


def _reply(name: str, what: str, why: str, *, suspect: str) -> Fault:
    return Fault(
        name=name, what=what, verdict="fail", finding=(DELIVERY,), why=why, miss=1e-6, miss_because=TENTH, suspect=suspect
    )  # fmt: skip


def _log(name: str, what: str, why: str, finding: tuple[str, ...] = ("log-coverage", LOG_GONE)) -> Fault:
    return Fault(
        name=name,
        what=what,
        verdict="inconclusive",
        finding=finding,
        why=why,
        miss=0.0,
        miss_because="the whole export is like that",
    )


def _breaks(
    name: str, what: str, why: str, finding: str = "contract-backend-openapi", suspect: str = ""
) -> Fault:
    return Fault(
        name=name,
        what=what,
        verdict="fail",
        finding=(finding,),
        why=why,
        miss=0.0,
        miss_because="the definition, or every message, says so",
        suspect=suspect,
    )


def _always(
    name: str,
    what: str,
    why: str,
    *finding: str,
    verdict: str = "fail",
    because: str = ALWAYS,
    suspect: str = "",
) -> Fault:
    return Fault(
        name=name, what=what, verdict=verdict, finding=finding, why=why, miss=0.0, miss_because=because, suspect=suspect
    )  # fmt: skip


def _unserved(name: str, what: str, *, suspect: str) -> Fault:
    return Fault(
        name=name, what=what, verdict="fail", finding=("log-error-rate",), why="the platform's request log shows the errors",
        miss=0.0, miss_because="15 % or more of 500 logged requests fail, 1 % may", suspect=suspect,
    )  # fmt: skip


_CATALOGUE = (
    # Who is let in
    _always("auth-bypass", "any token is accepted", "a tampered token got a greeting", "websocket-refuses-bad-tokens", suspect="refusals chat"),
    _always("auth-bypass-header", "the header X-E2E-Test switches token validation off", "a tampered token with a header that only tests send got a greeting", "websocket-refuses-test-headers", suspect="X-E2E-Test"),
    _always("expired-accepted", "tokens that have expired are accepted", "an expired token got a greeting", "websocket-refuses-bad-tokens", suspect="refusals chat expired"),
    _always("wrong-audience-accepted", "tokens meant for another service are accepted", "a token for another audience got a greeting", "websocket-refuses-bad-tokens", suspect="refusals chat wrong-audience"),
    _always("ids-too-strict", "staging ids of fewer than three digits are refused", "an id that the table lets in was refused", "identity-table", suspect="identities chat staging-e2e-user-42"),
    _always("ids-too-loose", "anything may follow a known id", "an id that the table refuses was let in", "identity-table", suspect="identities chat staging-e2e-user-001; drop"),
    # The fix itself
    _always("fix-not-deployed", "a new revision name over the old code", "every chat message still closes with 1011", GONE, LOG_GONE, "identity-staging-e2e-user-001-accepted", suspect="RecursionError"),
    _always("recursion-not-fixed", "only the id manager was fixed", "every chat message still closes with 1011", GONE, LOG_GONE, suspect="RecursionError"),
    Fault(name="fixed-on-one-of-two", what="two instances of the new revision, one with the old code", verdict="fail", finding=(GONE, LOG_GONE), why="half of the conversations close with 1011", miss=0.0, miss_because="0.5^365", suspect="RecursionError"),
    Fault(name="old-revision-serves", what="the old revision still answers one request in ten", verdict="fail", finding=("deployment-revision-backend", GONE), why="health names the old revision, and its conversations close with 1011", miss=0.0, miss_because="0.9^365", suspect="revision = backend-00001"),
    Fault(name="intermittent-1011", what="2 % of conversations still take the old path", verdict="fail", finding=(GONE,), why="one occurrence on the fixed revision refutes “gone”", miss=0.0007, miss_because="0.98^365", rate=0.02, suspect="closed with 1011"),
    Fault(name="frequent-1011", what="10 % of conversations still take the old path", verdict="fail", finding=(GONE,), why="one occurrence on the fixed revision refutes “gone”", miss=0.0, miss_because="0.9^365", rate=0.10, suspect="closed with 1011"),
    Fault(name="rare-1011", what="0.3 % of conversations still take the old path: rarer than the plan claims to see", verdict="fail", finding=(GONE,), why="where it shows it fails; where it does not, the bound of the pass lies above 0.3 %", miss=0.334, miss_because="0.997^365", rate=0.003),
    _always("late-1011", "the old path runs 200 ms after the reply", "the probe dwells, so it sees the close that comes late", GONE, suspect="RecursionError"),
    _always("second-message-1011", "only the second message of a connection takes the old path", "each conversation has three", GONE, suspect="closed with 1011"),
    _always("large-message-1011", "only messages over 4,096 characters take the old path", "the last message of each conversation is longer", GONE, suspect="closed with 1011"),
    _always("fixed-for-probes-only", "whoever calls itself proofbook-probe gets the fix, nobody else", "twenty probes that call themselves nothing, and the users in the log, still meet the defect", GONE, LOG_GONE, suspect="RecursionError"),
    # Replies
    _reply("reply-lost", "in 10 % of conversations one reply is not sent", "a reply that does not come is a failure", suspect="a reply lost"),
    _reply("reply-duplicated", "in 10 % of conversations one reply is sent twice", "each reply is expected once", suspect="a reply sent twice"),
    _reply("reply-reordered", "in 10 % of conversations the first reply comes after the second", "replies are expected in order", suspect="replies out of order"),
    _reply("reply-altered", "in 10 % of conversations one reply has another text", "the text is expected unaltered", suspect="a reply altered"),
    _reply("reply-of-another-user", "in 10 % of conversations one reply names another user", "each reply is expected for the user who asked", suspect="a reply altered"),
    # Connections
    _always("accepted-then-silent", "the upgrade is accepted, no greeting comes", "a connection counts once it is greeted", "websocket-connection", suspect="not greeted"),
    _always("half-open", "nothing that a client sends after the handshake arrives, and nobody is told", "replies do not come in time", DELIVERY, suspect="a reply lost"),
    _always("health-only", "health is 200, every upgrade gets 503", "no connection was made; that nothing closed with 1011 then proves nothing", "websocket-connection", suspect="answered 503"),
    # Health
    _always("health-for-any-path", "any path is 200 and healthy", "a path that must not exist is healthy too, so the check could not have failed", "health-backend", verdict="inconclusive", suspect="unknown-path"),
    Fault(name="health-lies", what="health is 200 while three in ten API requests end in 500", verdict="fail", finding=("log-error-rate",), why="the platform's request log shows the errors", miss=0.0, miss_because="about 150 of 500 logged requests fail, 1 % may", suspect="/api/threads"),
    _always("degraded-called-healthy", "health is 200 and says degraded", "the body is expected to say healthy", "health-backend", suspect="not as expected"),
    # What a request needs
    _unserved("dependency-times-out", "15 % of requests for threads wait for a search index that does not answer, and end with 504", suspect="Search index did not answer"),
    _unserved("flag-turned-on", "a flag sends 20 % of requests for threads into code that is not finished", suspect="NotImplementedError"),
    _unserved("column-missing", "the new code asks for a column that no migration made", suspect="no such column"),
    _unserved("database-locked", "a job holds a table, and 20 % of requests for threads meet that", suspect="is locked"),
    Fault(name="queue-full", what="nobody takes events from a queue: soon each is dropped, while requests are served", verdict="fail", finding=("log-new-errors",), why="that kind of exception was not in the log before", miss=0.0, miss_because=ALWAYS, suspect="QueueFull"),
    Fault(name="cache-refuses", what="the cache refuses connections, and the database is read instead", verdict="fail", finding=("log-new-errors",), why="that kind of exception was not in the log before", miss=0.0, miss_because=ALWAYS, suspect="ConnectionRefusedError"),
    _unserved("limit-too-tight", "a limit of 8 requests a second, where users make 20, turns the others away with 503", suspect="/api/threads"),
    Fault(name="slow-query", what="10 % of requests for threads wait 0.3 s for a query", verdict="fail", finding=("latency-tail-backend-api-threads",), why="more requests than the budget allows take five times the median of before", miss=0.0, miss_because="60 of 600 are expected, 16 are enough", suspect="Slow query"),
    Fault(name="text-not-encoded", what="messages are written as ASCII: one with an umlaut ends its connection", verdict="fail", finding=("log-new-errors",), why="that kind of exception was not in the log before", miss=0.0, miss_because="half of the users' messages have one", suspect="UnicodeEncodeError"),
    _always("tokens-of-some-refused", "the key of the issuer of staging users is not known any more", "an id that was fixed is refused", "identity-staging-e2e-user-001-accepted", suspect="WebSocket authentication failed"),
    # Memory and restarts
    Fault(name="memory-leak", what="the backend keeps 2 MB more every second", verdict="fail", finding=("memory-backend",), why="the lower bound of the growth exceeds the budget", miss=0.01, miss_because="six times the budget", grows=True),
    Fault(name="memory-leak-slow", what="the backend keeps 0.8 MB more every second", verdict="fail", finding=("memory-backend",), why="the lower bound of the growth exceeds the budget", miss=0.05, miss_because="2.4 times the budget", grows=True),
    Fault(name="leak-hidden-by-restarts", what="the backend keeps 4 MB more every second and is replaced every few seconds", verdict="fail", finding=("restarts-backend",), why="processes started and ended with no deployment", miss=0.0, miss_because="it is replaced twice or more while it is watched", grows=True, suspect="Application startup complete"),
    Fault(name="crash-loop", what="the backend ends itself three seconds after each start", verdict="fail", finding=("health-backend", "websocket-connection", DELIVERY, "restarts-backend"), why="connections are refused while it starts again, whatever the answers between say", miss=0.0, miss_because="it is down a third of the time", grows=True, suspect="Application startup complete"),
    # Latency
    Fault(name="slow", what="service time +40 %", verdict="fail", finding=("latency-backend-api-threads",), why="the lower bound of the ratio of medians exceeds the margin 1.2", miss=0.01, miss_because="600 requests an arm on a shared machine", suspect="time of backend /api/threads"),
    Fault(name="slow-tail", what="4.5 % of requests take ten times as long, the median is what it was", verdict="fail", finding=("latency-tail-backend-api-threads",), why="more requests than the budget allows take five times the median of before", miss=0.02, miss_because="27 of 600 are expected, 16 are enough", suspect="time of backend /api/threads"),
    # The rollout
    Fault(name="gap-1s", what="nothing answers for one second of the rollout", verdict="fail", finding=("rollout-downtime-backend",), why="every probe failed for longer than the budget", miss=0.0, miss_because="twenty probes in a row fail", in_rollout=True, suspect="rollout backend"),
    Fault(name="gap-5s", what="nothing answers for five seconds of the rollout", verdict="fail", finding=("rollout-downtime-backend",), why="every probe failed for longer than the budget", miss=0.0, miss_because="a hundred probes in a row fail", in_rollout=True, suspect="rollout backend"),
    Fault(name="held-sockets-dropped", what="held sockets end with 1006 at the switch", verdict="fail", finding=("rollout-held-chat",), why="1006 is never an allowed end", miss=0.0, miss_because="all sixty are dropped", in_rollout=True, suspect="closed with 1006"),
    # Logs that mislead
    _log("log-truncated", "the export is cut at 1,000 entries, newest first", "the window that the claim is about is not in the log"),
    _log("log-silent", "the new revision writes nothing to the log", "zero errors in an empty log are not zero"),
    _log("log-delayed", "the last ten seconds have not arrived in the export", "the end of the window is not in the log"),
    _log("log-of-another-environment", "the export is of the same service somewhere else: alive, and without errors", "the canaries that the probes sent are not in it"),
    _log("log-empty-bodies", "payloads were lost on the way", "nothing that the service says would be seen"),
    _log("log-clock-off", "local time that calls itself UTC, seven hours ahead", "what is dated after it was read says nothing about the window"),
    Fault(name="log-severity-stripped", what="severities were lost on the way, and the recursion is not fixed", verdict="fail", finding=(LOG_GONE,), why="the signature is read from the text", miss=0.0, miss_because=ALWAYS, suspect="RecursionError"),
    Fault(name="log-forged", what="lines that users wrote look like successes, real successes are not logged", verdict="fail", finding=("log-delivered-present",), why="the pattern matches a whole entry, not a line inside another's text", miss=0.0, miss_because="no real line is written", suspect="received from"),
    Fault(name="log-duplicated", what="every entry is in the export twice", verdict="pass", finding=("log-coverage",), why="entries with the same id count once", miss=0.0, miss_because="no failure of the service: what could go wrong is the counting"),
    # Side effects of the fix
    Fault(name="new-error", what="a background job fails with an exception that no request shows", verdict="fail", finding=("log-new-errors",), why="that kind of exception was not in the log before", miss=0.001, miss_because="it is written more than forty times", suspect="KeyError"),
    _breaks("breaking-api", "a response field is gone and an endpoint is renamed", "clients of the old definition break"),
    _breaks("api-field-removed", "a response field is gone", "clients of the old definition break"),
    _breaks("api-type-changed", "a response field is a text, it was a number", "clients of the old definition break"),
    _breaks("api-enum-tightened", "a value that a parameter could have is refused", "clients that send it break"),
    _breaks("message-schema-changed", "the greeting calls the user's id another name", "the message does not fit its schema", "contract-message-greeting", suspect="data.uid"),
    _always("certificate-expired", "the frontend's certificate expired yesterday", "no client that checks it can connect", "certificate-frontend", suspect="health frontend"),
    _always("certificate-expiring", "the frontend's certificate expires in five days", "it is nearer than the budget allows", "certificate-frontend"),
)  # fmt: skip

_WELL = (
    Healthy(name="healthy", what="nothing is odd"),
    Healthy(name="always-slow", what="service time was half as long again before, and still is", before_too=True),
    Healthy(name="noisy-log", what="the new revision writes many lines that mean nothing, warnings among them"),
    Healthy(name="restarts-as-policy", what="the platform replaces instances of a certain age, as the case allows", restarts=3),
    Healthy(name="going-away", what="held sockets are closed with 1001 while the old revision drains", in_rollout=True),
    Healthy(name="sockets-end-at-age", what="the platform cuts every socket at a known age", in_rollout=True, max_connection_s=3.0),
    Healthy(name="cold-start", what="the first forty requests after a start take 0.4 s longer"),
    Healthy(name="low-traffic", what="users do little, before and after", verdict="inconclusive", traffic=0.05, before_too=True),
)  # fmt: skip

FAULTS = {fault.name: fault for fault in _CATALOGUE}
HEALTHY = {variant.name: variant for variant in _WELL}
