"""Several series of one metric are several: read from a real page, and judged one by one or as their sum."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from aiohttp import web
from first_tries import serving

from proofbook.collect.services import metrics
from proofbook.collect.session import Session
from proofbook.config.environment import Environment
from proofbook.config.services import Service
from proofbook.evidence.schema import METRICS
from proofbook.judge.checks import memory
from proofbook.judge.findings import Judgement, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.judge.window import Windows

pytestmark = pytest.mark.waits

MB = 1_000_000
READINGS, EVERY_S = 48, 0.02


def pools(
    reading: int, *, at: float, leak_mb: float, moves_mb: float = 0.0, hosts: tuple[str, ...] = ("",)
) -> str:
    """A page of Micrometer's: eight pools for each process, of which one leaks, and two that give to each other.

    at: the time in readings, by which they grow however long a busy machine takes between two.
    """
    lines = ["# TYPE jvm_memory_used_bytes gauge", "process_start_time_seconds 1764355200.0"]
    for host, number in itertools.product(hosts, range(8)):
        grown = {0: leak_mb * at, 1: moves_mb * at, 2: -moves_mb * at}.get(number, 0.0)
        # Readings that never move by a page are none.
        used = (300 + 40 * number + grown + 0.02 * ((reading * 7 + number) % 5)) * MB
        label = f'instance="{host}",' if host else ""
        lines.append(
            f'jvm_memory_used_bytes{{{label}area="{"heap" if number < 3 else "nonheap"}",id="pool {number}"}} {used:.0f}'
        )
    return "\n".join(lines) + "\n"


def read(*, memory_series: str = "each", **page: Any) -> tuple[pd.DataFrame, Judgement]:
    """What is read of such pages, and how it is judged: at most 200 MB in 10 min."""
    number, began = itertools.count(), time.monotonic()
    over = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        reading = next(number)
        if reading == READINGS - 1:
            loop.call_soon_threadsafe(over.set)
        return web.Response(text=pools(reading, at=(time.monotonic() - began) / EVERY_S, **page))

    async def go(url: str) -> pd.DataFrame:
        nonlocal loop
        loop = asyncio.get_running_loop()
        service = {"name": "a", "url": url, "metrics": "/metrics", "memory_metric": "jvm_memory_used_bytes", "memory_series": memory_series}  # fmt: skip
        where = Environment.model_validate({"service": [service]})
        return await metrics.sample(
            where.services[0], every_s=EVERY_S, until=over, session=Session(where, base=Path())
        )

    loop = asyncio.new_event_loop()
    loop.close()
    with serving(answer) as url:
        table = asyncio.run(go(url))
    return table, judged(table, summed=memory_series == "sum")


def judged(table: pd.DataFrame, *, summed: bool = False) -> Judgement:
    view = View(
        tables=lambda name, phase: {(METRICS.name, "after"): table}.get((name, phase)),
        windows=Windows(before=None, after=None),
    )
    return memory.stable("a", budget_mb=200, horizon_min=10, summed=summed).judge(view)


def test_one_pool_of_eight_that_leaks_is_a_leak_and_is_named() -> None:
    table, found = read(leak_mb=4.0)
    assert table["series"].nunique() == 9  # eight pools, and the start of the process
    assert (found.verdict, found.reason) == (Verdict.FAIL, "leak"), found.statement
    assert found.statement.startswith('area="heap",id="pool 0", the worst of 8 series: ')
    assert found.exposure.n == READINGS


def test_pools_that_all_stay_as_they_are_pass() -> None:
    _, found = read(leak_mb=0.0)
    assert found.verdict is not Verdict.FAIL and "-0 MB" not in found.statement, found.statement


@pytest.mark.slow
def test_pools_that_give_to_each_other_leak_where_each_counts_and_not_where_their_sum_does() -> None:
    _, each = read(leak_mb=0.0, moves_mb=4.0)
    assert each.verdict is Verdict.FAIL, each.statement
    _, together = read(leak_mb=0.0, moves_mb=4.0, memory_series="sum")
    assert together.verdict is not Verdict.FAIL, together.statement
    assert "series" not in together.statement
    _, leaking = read(leak_mb=4.0, memory_series="sum")
    assert leaking.verdict is Verdict.FAIL, leaking.statement


def test_a_pool_that_leaks_in_each_of_several_processes_is_compared_with_itself_alone() -> None:
    _, found = read(leak_mb=4.0, hosts=("a:1", "b:1", "c:1", "d:1"))
    assert found.verdict is Verdict.FAIL and "4 instances" in found.method.name, found.statement
    assert found.statement.startswith('area="heap",id="pool 0"')


def test_readings_of_one_time_that_nothing_tells_apart_are_no_trend() -> None:
    table, _ = read(leak_mb=4.0)
    with pytest.raises(InsufficientEvidence) as caught:
        judged(table.drop(columns="series"))
    assert caught.value.reason == "several-series"


def test_what_leaks_in_every_pool_is_caught_by_the_mutant() -> None:
    table, _ = read(leak_mb=0.0)
    recipe = memory.stable("a", budget_mb=200, horizon_min=10)
    view = View(
        tables=lambda name, phase: {(METRICS.name, "after"): table}.get((name, phase)),
        windows=Windows(before=None, after=None),
    )
    (mutant,) = recipe.mutants
    broken = mutant.change(view)
    assert broken is not None and recipe.judge(broken).verdict is not Verdict.PASS


# The same reading in the newer format and in the older one, as several clients write them.
OPENMETRICS = """# TYPE process_resident_memory_bytes gauge
# UNIT process_resident_memory_bytes bytes
process_resident_memory_bytes{area="heap"} 1.5e+08 1764355201.123
# TYPE requests counter
requests_total{path="/a \\"b\\""} 17.0 # {trace_id="4bf92f3577b34da6"} 0.67 1764355201.5
requests_created{path="/a \\"b\\""} 1764355200.0
# TYPE build info
build_info{version="1.2"} 1.0
# TYPE mode stateset
mode{mode="leader"} 1
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1764355200.0
# EOF
"""


@pytest.mark.parametrize("text", [OPENMETRICS, OPENMETRICS.replace("\n", "\r\n"), OPENMETRICS.replace("# EOF\n", "")], ids=["OpenMetrics", "ends of line of Windows", "no end"])  # fmt: skip
def test_a_page_of_openmetrics_is_read(text: str) -> None:
    where = Environment.model_validate({"service": [{"name": "a", "url": "http://127.0.0.1:1", "metrics": "/metrics"}]})  # fmt: skip
    rows = metrics.read(text, service=where.services[0], at=pd.Timestamp.now("UTC"))
    told = {(row[4], row[5]): row[6] for row in rows}
    assert told == {
        ('area="heap"', "process_resident_memory_bytes"): 150_000_000.0,
        ("", "process_start_time_seconds"): 1764355200.0,
    }


def test_what_has_no_value_is_no_reading() -> None:
    service = Service.model_validate(
        {"name": "a", "url": "http://a", "metrics": "/metrics", "memory_metric": "resident"}
    )
    for value in ("NaN", "+Inf", "-Inf"):
        assert not metrics.read(f"resident {value}\n", service=service, at=pd.Timestamp.now("UTC")), value
    assert len(metrics.read("resident 1.0e8\n", service=service, at=pd.Timestamp.now("UTC"))) == 1
