"""Whether a kind of error is the doing of strangers, such as scanners: no user's request ties it to what was deployed."""

from __future__ import annotations

import re

import pandas as pd

from proofbook.evidence.log_tables import LOG_KINDS
from proofbook.judge.view import View

# A user among so few of its requests may have come from where a scanner did.
MOST_OF_USERS = 0.05
# What a server says of a request that is none, or is for a name that is not its own: a client alone makes it say so, whatever was
# deployed. Only believed where no request of a user wrote it.
BY_CLIENTS = re.compile(
    r"DisallowedHost|Invalid HTTP_HOST header|SuspiciousOperation|invalid host header"
    r"|bad request (?:version|syntax|line)|invalid (?:http )?request (?:received|line)|malformed (?:http )?request|invalid method in request"
    r"|client sent (?:an HTTP request to an HTTPS server|invalid)|error:1408F10B|error:0A0000|error:1417|http: TLS handshake error|TLS handshake (?:failed|failure|error)"
    r"|SSL handshak\w+|wrong version number|no shared cipher|unsupported protocol|unknown ca\b|illegal request|invalid URI in request"
    r"|Not Found: /(?:wp-|\.env|\.git|phpmyadmin|xmlrpc|cgi-bin|admin\.php)",
    re.IGNORECASE,
)


def why_strange(view: View, rows: pd.DataFrame, kinds: pd.DataFrame) -> list[str]:
    """For each row of `changes` why no user's request ties it to what was deployed, in words; empty where one may.

    kinds: those of after, with their `key`.
    """
    if "of_requests" not in kinds:
        kinds = kinds.assign(of_requests=0, of_users=0)
    counts = kinds.groupby("key")[["of_requests", "of_users"]].sum().reindex(rows["key"]).fillna(0)
    # Whether a client was ever let in, only a log that holds before and after tells.
    whole = view.recorded(LOG_KINDS.name, "before") is None
    return [
        _why(str(sample), requests=int(requests), users=int(users), whole=whole)
        for sample, requests, users in zip(
            rows["sample"], counts["of_requests"], counts["of_users"], strict=True
        )
    ]


def _why(sample: str, *, requests: int, users: int, whole: bool) -> str:
    refused = requests > 0 and users <= MOST_OF_USERS * requests
    if refused and whole:
        return f"{requests - users:,} of {requests:,} requests that wrote it were refused and came from clients, or went to paths, that never got anything else, as of scanners"
    if BY_CLIENTS.search(sample) and (refused or not requests):
        return "no request of a user wrote it, and any client can make a server say so by what it sends, as scanners do"
    return ""
