"""The ways in which the rehearsal can be broken on purpose, and what an honest validation says of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One seeded fault.

    finding: the check that should say so; several where any of them may.
    miss: the chance that the shipped plan overlooks it, in words.
    """

    name: str
    what: str
    verdict: str
    finding: tuple[str, ...]
    why: str
    miss: str


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            name="auth-bypass",
            what="the new revision accepts any token",
            verdict="fail",
            finding=("websocket-refuses-bad-tokens",),
            why="a tampered token got a greeting",
            miss="none: every bad token is accepted",
        ),
        Fault(
            name="auth-bypass-header",
            what="the header X-E2E-Test switches token validation off",
            verdict="fail",
            finding=("websocket-refuses-test-headers",),
            why="a tampered token with a header that only tests send got a greeting",
            miss="none: every such handshake is accepted",
        ),
        Fault(
            name="fix-not-deployed",
            what="a new revision name over the old code",
            verdict="fail",
            finding=("websocket-1011-gone", "log-recursion-gone", "identity-staging-e2e-user-001-accepted"),
            why="every chat message still closes with 1011",
            miss="none: every message fails",
        ),
        Fault(
            name="intermittent-1011",
            what="2 % of chat messages still take the old path",
            verdict="fail",
            finding=("websocket-1011-gone",),
            why="one occurrence on the fixed revision refutes `gone`",
            miss="0.98^365 = 0.06 %",
        ),
        Fault(
            name="health-only",
            what="health is 200, every WebSocket upgrade gets 503",
            verdict="fail",
            finding=("websocket-connection",),
            why="no connection was made; that nothing closed with 1011 then proves nothing",
            miss="none: every upgrade fails",
        ),
        Fault(
            name="log-truncated",
            what="the log export is cut at 1,000 entries, newest first",
            verdict="inconclusive",
            finding=("log-coverage", "log-recursion-gone"),
            why="the window that the claim is about is not in the log",
            miss="none while the window holds more than 1,000 entries",
        ),
        Fault(
            name="log-silent",
            what="the new revision writes nothing to the log",
            verdict="inconclusive",
            finding=("log-coverage", "log-recursion-gone"),
            why="zero errors in an empty log are not zero",
            miss="none",
        ),
        Fault(
            name="memory-leak",
            what="the backend keeps 2 MB more every second",
            verdict="fail",
            finding=("memory-backend",),
            why="the lower bound of the growth exceeds the budget",
            miss="below 1 %: the leak is six times the budget",
        ),
        Fault(
            name="slow",
            what="service time +40 %",
            verdict="fail",
            finding=("latency-backend-api-threads",),
            why="the lower bound of the ratio of medians exceeds the margin 1.2",
            miss="about 0.5 % on a shared machine",
        ),
        Fault(
            name="breaking-api",
            what="a response field is gone and an endpoint is renamed",
            verdict="fail",
            finding=("contract-backend-openapi",),
            why="clients of the old definition break",
            miss="none: the definition says so",
        ),
    )
}
