"""Every table of evidence: what a row is, its columns with type and unit, and how rounds of a watch become one table.

Collectors write by these, and `store.write_phase` checks what they wrote; judges name tables and columns by them. Tables of
other packages are added by `add`, by whoever knows the collector that writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from pyarrow import parquet

from proofbook.errors import SchemaError
from proofbook.evidence.access import ACCESS
from proofbook.evidence.asked import ASKED
from proofbook.evidence.log_tables import LOG_TABLES
from proofbook.evidence.table import OLDER, TIME, Column, Merge, Table, rows_of
from proofbook.evidence.traces import TRACES

# Columns that mean the same wherever they stand.
_SERVICE = Column("service", "str", "name of the service in the environment")
_TIMESTAMP = Column("timestamp", TIME, "when it was asked")
_PATH = Column("path", "str", "what was asked for")
_STATUS = Column("status", "Int64", "HTTP status; missing: no answer")
_OK = Column("ok", "bool", "whether the answer was the expected one")
_ERROR = Column("error", "str", "why there was no answer, else empty")
_REVISION = Column("revision", "str", "revision that the answer named; missing: none")
_TOTAL = Column("total_s", "float64", "from sending to the whole answer", "s")
_TRACE = Column("trace_id", "str", "trace id that it was sent with; missing: none was", optional=OLDER)

# HTTP ---------------------------------------------------------------------------------------------------------------

HEALTH = Table(
    "health",
    row="one request for a service's health or for a path that must not exist, or one of an unmarked probe for what is asked of it",
    columns=(
        _SERVICE,
        Column("kind", "str", "`health`, `unknown-path`, or who it did not say that it was a probe as: `as a user`, `as a browser`"),
        _PATH,
        _TIMESTAMP, _STATUS, _OK,
        Column("body_ok", "boolean", "whether the body was the expected one; missing: none is expected"),
        Column("body", "str", "beginning of the body"),
        Column("says", "str", "what the page says of itself: `well`, `ill`, `half-well`, `unknown`, `challenge`; empty: nothing", optional=OLDER),
        Column("part", "str", "what a page that counts as healthy says all the same of a part, as `db = down`; empty: nothing", optional=OLDER),
        Column("age_s", "float64", "age of the stored copy that a cache answered with; missing: it is none", "s", optional=OLDER),
        Column("stored", "str", "header by which a cache says that it answered, where it states no age; empty: none", optional=OLDER),
        Column("dated_in", "str", "where the page names a time as its own; empty: nowhere", optional=OLDER),
        Column("dated", TIME, "that time; missing: none", optional=OLDER),
        Column("dated_age_s", "float64", "how far it lies behind the answer; missing: none", "s", optional=OLDER),
        Column("cause", "str", "what explains that no request was answered, as `tls`; empty: nothing that may be ours", optional=OLDER),
        _ERROR,
        _REVISION,
        _TOTAL,
        Column("connect_s", "float64", "connecting; missing: it did not connect", "s"),
        Column("tls_s", "float64", "TLS handshake; missing: not encrypted", "s"),
        Column("first_byte_s", "float64", "from sending to the headers; missing: no answer", "s"),
        Column("certificate_days", "float64", "until the certificate expires that this connection was shown; missing: none was, or it was not checked", "days", optional=OLDER),
        _TRACE,
    ),
)  # fmt: skip
LATENCY = Table(
    "latency",
    row="one timed request over a kept connection",
    columns=(_SERVICE, _PATH, _TIMESTAMP, _STATUS, _OK, _ERROR, _TOTAL, _TRACE),
)
LATENCY_CONTROL = Table(
    "latency_control", row="one request to the health endpoint, between timed requests to another",
    columns=(*LATENCY.columns, Column("beside", "str", "path that was timed meanwhile")),
)  # fmt: skip
ROLLOUT = Table(
    "rollout", row="one request for health on a new connection, during a deployment",
    columns=(_TIMESTAMP, Column("at_s", "float64", "since watching began", "s"), _STATUS, _OK, _ERROR, _REVISION, _TOTAL, _SERVICE, _TRACE),
)  # fmt: skip
CERTIFICATES = Table(
    "certificates", row="one encrypted service", merge=Merge.LATEST,
    columns=(
        _SERVICE,
        _TIMESTAMP,
        Column("reached", "bool", "whether it could be connected to"),
        Column("verified", "bool", "whether a client that checks certificates would connect"),
        Column("days", "float64", "until it expires; missing: not verified", "days"),
        Column("problem", "str", "why it was not verified, else empty"),
        Column("distrusted", "bool", "whether a client that trusts nobody refuses it, as it must"),
    ),
)  # fmt: skip
OPENAPI = Table(
    "openapi", row="one API definition", merge=Merge.LATEST,
    columns=(
        _SERVICE, _TIMESTAMP, _STATUS, Column("document", "str", "the definition as JSON; empty: there is none", is_json=True), _ERROR,
    ),
)  # fmt: skip
ANSWERS = Table(
    "answers", row="one answer to a GET of a service that has an API definition, to be held against it", merge=Merge.LATEST,
    columns=(
        _SERVICE, _PATH, _TIMESTAMP, _STATUS,
        Column("content_type", "str", "its media type; empty: it names none"),
        Column("body", "str", "the body, if it is JSON and not large; empty: it was not kept", is_json=True),
        Column("note", "str", "why the body was not kept, else empty"),
        _ERROR,
    ),
)  # fmt: skip
METRICS = Table(
    "metrics",
    row="one value on a service's page of metrics, at one reading",
    columns=(
        _SERVICE,
        _TIMESTAMP,
        # It begins anew with each start of the machine; over hours the wall's clock will do.
        Column("at_s", "float64", "time of a clock that never jumps", "s", optional="after a watch", in_one_round=True),
        Column("instance", "str", "pod or instance label, else the start of the process"),
        Column("series", "str", "its other labels; empty: none", optional=OLDER),
        Column("name", "str", "name of the metric"),
        Column("value", "float64", "its value", "of the metric"),
    ),
)  # fmt: skip
REVISIONS = Table(
    "revisions", row="one revision that the platform lists", merge=Merge.LATEST,
    columns=(
        Column("revision", "str", "its name"),
        Column("created", TIME, "when it was made; missing: not stated"),
        Column("image_bytes", "float64", "size of its image; missing: not stated", "bytes"),
        Column("memory_limit_bytes", "float64", "memory that it may use; missing: not stated", "bytes"),
    ),
)  # fmt: skip

# WebSocket ----------------------------------------------------------------------------------------------------------

CONNECTION = (
    Column("endpoint", "str", "name of the WebSocket endpoint in the environment"),
    Column("user", "str", "who the token is for"),
    Column("token_kind", "str", "`good`, `tampered`, `missing`, `expired`, …"),
    Column("timestamp", TIME, "when connecting began"),
    Column("upgraded", "bool", "whether HTTP was left for WebSocket"),
    Column("http_status", "Int64", "HTTP status of the upgrade; missing: no answer"),
    Column("http_body", "str", "beginning of the body of a refusal"),
    Column("greeted", "boolean", "whether the expected greeting came; missing: none is expected"),
    Column("refused", "bool", "whether the server said that it refuses the token", optional=OLDER),
    Column("sent", "int64", "messages sent", "messages"),
    Column("replied", "int64", "messages with a reply", "messages"),
    Column("reply_ok", "boolean", "whether each reply came once, in order and whole; missing: nothing was sent"),
    Column("reply_lost", "int64", "messages without a reply", "messages"),
    Column("reply_altered", "int64", "replies with another content", "messages"),
    Column("reply_cut", "int64", "replies of several messages that began and did not end, also counted as lost", "messages", optional=OLDER),
    Column("reply_duplicated", "int64", "replies that came again", "messages"),
    Column("reply_reordered", "int64", "replies that came before an earlier one", "messages"),
    Column("close_code", "Int64", "close code; missing: it was never open"),
    Column("close_reason", "str", "reason that came with it"),
    Column("closed_by", "str", "`server` or `probe`: who closed first, `server` with `closed_in` = `upgrade` where it did not answer; empty: it was never open"),
    Column("clean", "boolean", "whether both sent a close frame; missing: it was never open"),
    Column("closed_in", "str", "`connect`, `upgrade`, `greeting`, `reply`, `dwell`, `hold` or `end`: where it ended"),
    Column("dwell_s", "float64", "listened after the last reply, or held", "s"),
    Column("close_s", "float64", "from the probe's close to the end of the connection; missing: it was not the probe who closed", "s", optional=OLDER),
    Column("resolve_s", "float64", "resolving the name; missing: not done here", "s"),
    Column("tcp_s", "float64", "connecting; missing: not done here", "s"),
    Column("tls_s", "float64", "TLS handshake; missing: not encrypted", "s"),
    Column("upgrade_s", "float64", "the upgrade; missing: refused", "s"),
    Column("greeting_s", "float64", "waited for the greeting; missing: none came", "s"),
    Column("reply_s", "float64", "waited for the first reply; missing: none came", "s"),
    Column("error", "str", "what went wrong, else empty"),
    Column("heard", "str", "what the server said instead of what was waited for, else empty", optional=OLDER),
    Column("deflate", "boolean", "whether permessage-deflate was agreed on; missing: it was not upgraded", optional=OLDER),
    Column("understood", "boolean", "whether the server said anything that is waited for before it lets in; missing: nothing is", optional=OLDER),
    _TRACE,
)  # fmt: skip
WEBSOCKET = Table("websocket", row="one connection of a probe", columns=CONNECTION)
SHADOW = Table("shadow", row="one connection that carries no mark of a probe", columns=CONNECTION)
REFUSALS = Table("refusals", row="one attempt with a bad token, or a good one beside it", columns=CONNECTION)
IDENTITIES = Table("identities", row="one attempt as a user id", columns=CONNECTION)
HELD = Table("held", row="one connection held through a deployment", columns=CONNECTION)
MESSAGES = Table(
    "messages", row="one message received on one connection, equal ones of it once", merge=Merge.DISTINCT,
    columns=(
        CONNECTION[0], Column("body", "str", "the message as text"),
        Column("connected", TIME, "when connecting began, as in `websocket`", optional=OLDER),
    ),
)  # fmt: skip

# Other packages -----------------------------------------------------------------------------------------------------

PROBES = Table(
    "probes", row="one [[probe]], which a collector of another package makes", merge=Merge.DISTINCT,
    columns=(
        Column("name", "str", "its name in the environment"),
        Column("kind", "str", "its collector"),
        Column("problem", "str", "why nothing was recorded, with package and place; empty: it was"),
    ),
)  # fmt: skip

STANDSTILLS = Table(
    "standstills", row="half a second or more in which the process that collected was not let run; absent: there was none, or none was noted",
    columns=(Column("began", TIME, "when it last ran"), Column("ended", TIME, "when it ran again")),
)  # fmt: skip

# Watching -----------------------------------------------------------------------------------------------------------

LOOKS = Table(
    "looks", row="one round of a watch", merge=Merge.NOT_MERGED,
    columns=(
        Column("look", "int64", "its number"),
        Column("started", TIME, "when it began"),
        Column("ended", TIME, "when it ended"),
        Column("planned", "int64", "rounds that were planned when the watch began", "rounds"),
        Column("every_s", "float64", "from one round to the next, as planned", "s"),
    ),
)  # fmt: skip

TABLES: Mapping[str, Table] = MappingProxyType({
    table.name: table
    for table in (
        HEALTH, LATENCY, LATENCY_CONTROL, WEBSOCKET, MESSAGES, SHADOW, REFUSALS, IDENTITIES, METRICS, OPENAPI, ANSWERS, CERTIFICATES,
        REVISIONS, ROLLOUT, HELD, ASKED, ACCESS, *LOG_TABLES, PROBES, STANDSTILLS, LOOKS, *TRACES,
    )
})  # fmt: skip
# Of what connections saw; of the others, logs aside, requests to services are the subject.
OF_WEBSOCKETS = frozenset(
    table.name for table in (WEBSOCKET, SHADOW, REFUSALS, IDENTITIES, HELD, MESSAGES, ASKED)
)
_added: dict[str, Table] = {}


def add(tables: Iterable[Table]) -> None:
    """Makes tables of another package known; one that is known already, and equal, stays.

    Raises:
        SchemaError: the name is taken by another table, or rounds of a watch cannot be merged so.
    """
    for table in tables:
        taken = TABLES.get(table.name, _added.get(table.name, table))
        if taken != table:
            raise SchemaError(table.name, "", "the name is taken by another table; give it another")
        if table.name not in TABLES and not table.merge.is_for_all:
            wanted = ", ".join(merge.name for merge in Merge if merge.is_for_all)
            raise SchemaError(table.name, "", f"expected merge to be one of {wanted}, got {table.merge.name}")
        if table.name not in TABLES:
            _added[table.name] = table


def known(name: str) -> Table:
    """The table of that name, ours or added.

    Raises:
        SchemaError: nobody registered it.
    """
    found = TABLES.get(name, _added.get(name))
    if found is None:
        raise SchemaError(
            name, "", "nobody registered it; a collector names its tables where it is registered"
        )
    return found


def merged_as(*ways: Merge) -> tuple[str, ...]:
    """The names of our tables that are merged in one of these ways."""
    return tuple(name for name, table in TABLES.items() if table.merge in ways)


def checked(name: str, table: pd.DataFrame | Path) -> pd.DataFrame | Path:
    """A table as it may be written: with the columns and types of its schema. A path is a Parquet file that holds it.

    Raises:
        SchemaError: nobody registered it, or it is not what its schema says.
    """
    if isinstance(table, Path):
        types = {field.name: str(field.type) for field in parquet.read_schema(table)}
        known(name).check_file(types)
        return table
    return known(name).typed(table)


def as_markdown() -> str:
    """The tables as a page of the reference."""
    parts = [
        "# Tables of evidence\n\nThis page is generated: `python -m proofbook.evidence.schema`.\n\nEach phase of a run keeps these as Parquet files in `evidence/PHASE/`, and `manifest.json` names their columns. Times are UTC."
    ]
    for table in TABLES.values():
        head = f"## `{table.name}`\n\nA row is {table.row}. Rounds of a watch: {table.merge.in_words}.\n\n| column | type | unit | meaning |\n|---|---|---|---|"
        rows = [f"| `{name}` | {kind} | {unit} | {means} |" for name, kind, unit, means in rows_of(table)]
        parts.append("\n".join([head, *rows]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
