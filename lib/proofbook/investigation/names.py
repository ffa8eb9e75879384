"""What can be asked of an entry: the names that people use, the columns that they mean, and what kind of thing each is."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

# Keys under which applications write who asked; the first that an entry has is its user.
USER_KEYS = (
    "user", "user_id", "userId", "userid", "user.id", "username", "user_name", "user.name", "usr", "usr.id", "uid",
    "enduser.id", "account_id", "accountId", "customer_id", "tenant", "sub", "subject",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A thing that an entry may have.

    column: where it stands. is_number: compared by size, and cut at quantiles where values are counted. is_outcome: written once
    the request is under way (its answer, its messages) rather than known when it comes in: an outcome is no cause. many:
    a request may have several of them.
    """

    column: str
    in_words: str
    is_number: bool = False
    is_outcome: bool = False
    many: bool = False


NAMES: MappingProxyType[str, Name] = MappingProxyType({
    "status": Name(column="http_status", in_words="status", is_number=True, is_outcome=True),
    "method": Name(column="http_method", in_words="method"),
    "path": Name(column="path", in_words="path"),
    "url": Name(column="http_url", in_words="address that was asked for"),
    "latency_s": Name(column="http_latency_s", in_words="latency", is_number=True, is_outcome=True),
    "agent": Name(column="http_user_agent", in_words="user agent"),
    "address": Name(column="http_remote_ip", in_words="address"),
    "protocol": Name(column="http_protocol", in_words="protocol"),
    "request_bytes": Name(column="http_request_bytes", in_words="size of the request", is_number=True),
    "response_bytes": Name(column="http_response_bytes", in_words="size of the answer", is_number=True, is_outcome=True),
    "service": Name(column="service_name", in_words="service", many=True),
    "revision": Name(column="service_version", in_words="revision", many=True),
    "instance": Name(column="service_instance_id", in_words="instance", many=True),
    "user": Name(column="user", in_words="user"),
    "template": Name(column="template", in_words="message", is_outcome=True, many=True),
    "severity": Name(column="severity_text", in_words="severity", is_outcome=True, many=True),
    "body": Name(column="body", in_words="text", is_outcome=True),
    "trace_id": Name(column="trace_id", in_words="trace"),
    "source": Name(column="source", in_words="log"),
})  # fmt: skip
# What is counted for each request; the others are whole texts, or name a single request.
COUNTED = tuple(name for name in NAMES if name not in ("url", "body", "trace_id"))
BY_COLUMN = MappingProxyType({item.column: name for name, item in NAMES.items()})
# Tables of probes.
PROBES = (
    "health",
    "latency",
    "latency_control",
    "websocket",
    "refusals",
    "identities",
    "shadow",
    "rollout",
    "held",
)


def meant(name: str) -> str | None:
    """The name that is meant, by itself or by its column; None where it is neither.

    >>> meant("status"), meant("http_status"), meant("statsu")
    ('status', 'status', None)
    """
    return name if name in NAMES else BY_COLUMN.get(name)
