"""Whose requests an error belongs to: those of users, or of strangers who never got anything but a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ibis import _

from proofbook.collect.logs import places
from proofbook.collect.logs.formats import SEVERITY_NUMBERS

KIND = ("kind", "text", "severity_number")


def of_errors(entries: Any, part: Callable[[Any], Any]) -> Any:
    """Per kind of error of `part`: of_requests, the traces with a request that wrote it; of_users, those of them that a user made.

    A request that was refused (400 to 499) is a stranger's where its client never got anything else, or, where no client is told,
    where its path was never answered otherwise. A request that was not refused is a user's.
    """
    wrote = part(entries).filter(
        _.trace_id.notnull()
        & ((_.kind == "exception") | (_.severity_number.fill_null(0) >= SEVERITY_NUMBERS["ERROR"]))
    )
    wrote = wrote.select(*KIND, "trace_id").distinct()
    asked = entries.filter(_.http_status.notnull()).mutate(
        client=places.value_of(_, "client"),
        path=places.value_of(_, "endpoint"),
        refused=(_.http_status >= 400) & (_.http_status < 500),
    )
    mine = asked.filter(_.trace_id.notnull()).semi_join(wrote, "trace_id")
    answered = asked.filter(~_.refused)
    clients = answered.filter(_.client.notnull()).select(known_client="client").distinct()
    paths = answered.filter(_.path.notnull()).select(known_path="path").distinct()
    mine = mine.left_join(clients, mine.client == clients.known_client)
    mine = mine.left_join(paths, mine.path == paths.known_path)
    by_path = mine.client.isnull() & mine.known_path.notnull()
    user = ~mine.refused | mine.known_client.notnull() | by_path
    traces = (
        mine.mutate(user=user.fill_null(False).cast("int64"))
        .group_by("trace_id")
        .aggregate(user=_.user.max())
        .rename(of_trace="trace_id")
    )
    both = wrote.inner_join(traces, wrote.trace_id == traces.of_trace)
    return both.group_by(list(KIND)).aggregate(of_requests=_.count(), of_users=_.user.sum())
