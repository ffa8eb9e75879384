"""The table of what a WebSocket was asked beyond its ordinary messages, and a service beyond its first address."""

from __future__ import annotations

from enum import StrEnum

from proofbook.evidence.table import TIME, Column, Table


class Asks(StrEnum):
    """What is asked: the values of `asks`."""

    ORDINARY = "ordinary"
    SIZE = "size"
    CHARACTERS = "characters"
    AT_ONCE = "at-once"
    ADDRESS = "address"
    HEALTH_ADDRESS = "health-address"
    HELD = "held"
    IN_TURN = "in-turn"


class Reply(StrEnum):
    """What came back on a message: the values of `reply`."""

    AS_EXPECTED = "as-expected"
    # It bears our id or a part of our text, and is not what was expected.
    ALTERED = "altered"
    # Something else was said, which carries nothing of ours, such as that the message is too long.
    OTHER = "other"
    # The reply to another connection's message came, and our own did not.
    ANOTHERS = "anothers"
    NONE = "none"
    NOT_ASKED = ""


class Reach(StrEnum):
    """How far one came to an address that gave no answer: values of `detail` of `address` and `health-address`."""

    OPEN = "open"
    CLOSED = "closed"
    SILENT = "silent"
    NO_WAY = "no-way"


ASKED = Table(
    "asked",
    row="one message, or one connection, that asks for more than the ordinary ones",
    columns=(
        Column("endpoint", "str", "name of the WebSocket endpoint in the environment; of the service where `asks` is `health-address`"),
        Column("asks", "str", "`ordinary` (to compare with), `size`, `characters`, `at-once`, `address`, `health-address`, `held` or `in-turn` (alone, then beside others of ours)"),
        Column("detail", "str", "the length that was wanted, which characters, `idle` or `busy` of held ones, how far one came to an address (`open`, `closed`, `silent`, `no-way`); else empty"),
        Column("connection", "int64", "number of the connection among those of this endpoint and question; of `in-turn` how many were opened before it that were to stay open"),
        Column("timestamp", TIME, "when it was asked"),
        Column("address", "str", "address that was connected to; empty: it was not chosen here"),
        Column("deflate", "boolean", "whether permessage-deflate was agreed on; missing: it was not upgraded"),
        Column("offered", "bool", "whether permessage-deflate was offered"),
        Column("bytes", "Int64", "length of the message; missing: none was sent", "bytes"),
        Column("at_once", "int64", "connections that were to be open beside each other, this one among them", "connections"),
        Column("upgraded", "bool", "whether the upgrade was made"),
        Column("http_status", "Int64", "status of the upgrade, 101 if it was made, or of the answer; missing: no answer"),
        Column("let_in", "boolean", "whether it was let in, and greeted where a greeting is expected; of `health-address` whether it was answered as healthy; missing: it was not upgraded"),
        Column("reply", "str", "`as-expected`, `altered`, `anothers`, `other`, `none`; empty: nothing was said"),
        Column("echoed", "boolean", "whether the reply held the text that was sent; missing: there was none"),
        Column("close_code", "Int64", "code with which the server closed; missing: it did not"),
        Column("open_s", "float64", "how long it was open when the server closed it, or when it was over", "s"),
        Column("error", "str", "what went wrong, else empty"),
        Column("heard", "str", "beginning of what the server said instead of what was waited for, else empty"),
    ),
)  # fmt: skip
