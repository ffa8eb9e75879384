"""Checks of services: health and certificates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pandas as pd

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import Service
from proofbook.evidence.asked import Asks
from proofbook.evidence.product_keys import states_health
from proofbook.judge.check import Check
from proofbook.judge.checks import addresses, certificates, mixed_answers, probes
from proofbook.judge.checks.health_controls import (
    had_started,
    no_long_answer,
    not_challenged,
    probes_answered,
    unmarked_answered,
    written_now,
)
from proofbook.judge.checks.health_path import health_path_known
from proofbook.judge.checks.probe_controls import (
    all_of,
    fresh_answers,
    transport_known,
    unknown_path_control,
    whole_word,
)
from proofbook.judge.checks.probe_effect import not_kept_out
from proofbook.judge.checks.success_rate import Rows, success_rate
from proofbook.judge.registry import claims


@claims("services", title="Are the services healthy?")
def service_checks(environment: Environment, case: Case) -> Iterator[Check]:
    for item in environment.services:
        if item.health:
            there = [socket.name for socket in environment.websockets if socket.service == item.name and socket.path is not None]  # fmt: skip
            yield _health(item, case, endpoints=there)
        if case.asks.addresses and environment.asks_addresses(item):
            host = urlsplit(item.url.text or "").hostname or ""
            yield Check(
                id=f"health-addresses-{item.name}",
                kind="guard",
                claim=f"every address of the name {host} leads to {item.name}",
                recipe=addresses.each_leads_there(item.name, host=host, asks=Asks.HEALTH_ADDRESS),
                critical=item.critical,
            )
        if item.is_encrypted:
            yield Check(
                id=f"certificate-{item.name}",
                kind="guard",
                claim=f"the certificate of {item.name} does not expire soon",
                recipe=certificates.valid(item.name, least_days=case.budgets.certificate_days),
                critical=item.critical,
            )
    for probe in environment.probes:
        yield Check(
            id=f"probe-{probe.name}",
            kind="guard",
            claim=f"the probe {probe.name} was recorded",
            group="services",
            recipe=probes.recorded(probe.name),
            required=True,
        )


def _health(item: Service, case: Case, *, endpoints: Sequence[str]) -> Check:
    """The health page says that the service is well."""
    recipe = success_rate(
        "health",
        lambda rows: rows["ok"],
        where=_of("service", item.name, kind="health"),
        target=case.targets.health,
        fails_on={"ok": False},
        unit="health requests",
        what="were answered as healthy",
        planned=True,
        tells_endings=True,
        adds=lambda rows: _beside(item, rows),
        controls=all_of(
            transport_known(item.name),
            probes_answered(item),
            not_challenged(item),
            had_started(item),
            not_kept_out(_of("service", item.name, kind="health"), lambda rows: rows["ok"], table="health"),
            health_path_known(item.name, endpoints=endpoints),
            no_long_answer(item),
            unknown_path_control(item.name),
            fresh_answers(item.name),
            written_now(item.name, most_s=item.health_max_age_s),
            unmarked_answered(item, target=case.targets.health),
            *([] if states_health(item.health_expect) else [whole_word(item.name)]),
            mixed_answers.answers_alike(item, target=case.targets.health),
        ),
    )
    return Check(
        id=f"health-{item.name}",
        kind="guard",
        claim=f"{item.name} is healthy",
        recipe=recipe,
        required=item.critical,
        critical=item.critical,
    )


def _beside(item: Service, rows: pd.DataFrame) -> str:
    """What is to be said of answers that all count as healthy."""
    counts = "" if states_health(item.health_expect) else _any_answer_counts(rows)
    return ", ".join(part for part in (_ill_part(rows) or mixed_answers.beside(rows), counts) if part)


def _any_answer_counts(rows: pd.DataFrame) -> str:
    """Where no page said that it is well, that nothing but its status was looked at."""
    # Older evidence does not say what a page said.
    if "says" not in rows or not rows["says"].isin(["", "unknown"]).all():
        return ""
    statuses = sorted({str(status) for status in rows["status"]})
    return f"any {' or '.join(statuses)} counts, since the page does not state its health"


def _ill_part(rows: pd.DataFrame) -> str:
    """What a page says that is not well beside what counts."""
    if "part" not in rows:
        return ""
    parts = rows.loc[rows["part"].astype(str).ne("") & rows["part"].notna(), "part"]
    return f"although {len(parts):,} of them say {parts.iloc[0]}" if len(parts) else ""


def _of(column: str, name: str, *, kind: str) -> Rows:
    return lambda rows: (rows[column] == name) & (rows["kind"] == kind)
