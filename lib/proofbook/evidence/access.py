"""The table of who was let in with which settings, in this run and in the newest earlier run in which somebody was."""

from __future__ import annotations

from proofbook.evidence.table import TIME, Column, Merge, Table

ENDPOINT, PAGE = "websocket", "health"
NO_TOKEN, STATED, ISSUED = "none", "stated", "issued"
_KEYED = "fingerprint, by a key that stays beside the runs, of"

ACCESS = Table(
    "access", row="an endpoint or a health page, as this run asked it, or as the newest earlier run did in which somebody was let in", merge=Merge.LATEST,
    columns=(
        Column("kind", "str", f"`{ENDPOINT}` or `{PAGE}`"),
        Column("name", "str", "name of the endpoint or the service"),
        Column("run", "str", "which run"),
        Column("earlier", "bool", "whether it is an earlier one than that of this evidence"),
        Column("timestamp", TIME, "when somebody was let in last, else when it was tried last"),
        Column("tries", "int64", "tries that should be let in", "tries"),
        Column("let_in", "int64", "those that were", "tries"),
        Column("refused", "bool", "whether those with a bad token or none were refused by name"),
        Column("differs", "str", "settings that are stated otherwise now; missing: not known"),
        Column("settings", "str", f"{_KEYED} all that was sent but the token; empty: there is no key"),
        Column("token_from", "str", f"`{STATED}`, `{ISSUED}` by a login, or `{NO_TOKEN}`"),
        Column("token", "str", f"{_KEYED} a stated token; empty: there is no key, or no such token"),
        Column("expires", TIME, "when a stated token ends, as it says itself; missing: it does not say"),
        Column("place", "str", f"{_KEYED} the address and machine that was asked from; empty: there is no key"),
    ),
)  # fmt: skip
