"""Samples a service's `/metrics` page while other probes run."""

from __future__ import annotations

import asyncio
import math
import time

import httpx
import pandas as pd
from prometheus_client.parser import text_string_to_metric_families

from proofbook.collect import answers
from proofbook.collect.services.health import client_for
from proofbook.collect.session import Session
from proofbook.config.services import Service
from proofbook.evidence.schema import METRICS
from proofbook.evidence.store import STARTED
from proofbook.redaction.scrubbing import scrub

Reading = tuple[str, pd.Timestamp, float, str, str, str, float]
# Labels by which an instance is known; what others tell apart are series of their own.
_OF_INSTANCE = ("pod", "instance")


async def sample(service: Service, *, every_s: float, until: asyncio.Event, session: Session) -> pd.DataFrame:
    """Reads the memory metric and the start time of the process until the event is set.

    Returns:
        One row per metric and reading: service, timestamp (UTC), at_s (of a clock that never jumps), instance (start time of the process, or the pod
        label where there is one), series (other labels), name, value. A reading that failed gives no row.
    """
    assert service.metrics is not None
    rows: list[Reading] = []
    async with client_for(service, session, keep_alive=True) as client:
        while not until.is_set():
            try:
                session.done["http requests"] += 1
                answer = await answers.ask(
                    client,
                    service.metrics,
                    headers=session.service_headers(service),
                    within_s=session.environment.pace.timeout_s,
                    most_bytes=answers.DOCUMENT_BYTES,
                )
                if answer.status_code == 200:
                    rows += read(answer.text, service=service, at=pd.Timestamp.now("UTC"))
            except (httpx.HTTPError, ValueError):
                # The gap shows in the table; other collectors report an unreachable service.
                pass
            try:
                await asyncio.wait_for(until.wait(), every_s)
            except TimeoutError:
                continue
    return METRICS.frame(rows)


def read(text: str, *, service: Service, at: pd.Timestamp) -> list[Reading]:
    """The samples of one page that later checks use.

    Raises:
        ValueError: not Prometheus's text format.
    """
    found = [item for family in text_string_to_metric_families(text) for item in family.samples]
    start = next((item.value for item in found if item.name == STARTED), 0.0)
    now, rows = time.perf_counter(), []
    for item in found:
        # What has no value now, such as NaN, is no reading.
        if item.name in (service.memory_metric, STARTED) and math.isfinite(item.value):
            stated = (item.labels.get(name) for name in _OF_INSTANCE)
            instance = next((value for value in stated if value), f"started {start:.2f}")
            rows.append((service.name, at, now, instance, _series(item.labels), item.name, float(item.value)))
    return rows


def _series(labels: dict[str, str]) -> str:
    """The labels that tell series of one instance apart, as the page writes them."""
    own = sorted((name, value) for name, value in labels.items() if name not in _OF_INSTANCE)
    return scrub(",".join(f'{name}="{value}"' for name, value in own))
