"""What the gRPC package adds to the report: how often each service was asked, and what it answered."""

from __future__ import annotations

from html import escape

from proofbook.report.result import Result
from proofbook.report.section_registry import Nothing, Part, Section, section


@section(title="Answers of gRPC services")
def grpc_health(result: Result) -> Part:
    """A line for each answer of each service."""
    rows = result.evidence.table("grpc_health")
    if rows is None or rows.empty:
        return Nothing("No gRPC service was asked.")
    counts = rows[rows["kind"] == "health"].groupby(["service", "code", "status"]).size()
    lines = (
        f"<li>{escape(service or 'the whole server')}: {count} answers {escape(status or code)}</li>"
        for (service, code, status), count in counts.items()
    )
    return Section(f"<ul>{''.join(lines)}</ul>")
