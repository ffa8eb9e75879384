"""How often each decision rule is wrong, simulated: the false passes at its boundary, and its power at a stated alternative.

Nothing here is collected: samples come from a seeded generator, so the figures say how the statistics behave and nothing
about probing. `python -m proofbook.selfcheck.rule_error_rates` prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from proofbook.stats import bootstrap, plans, proportions, sequential, trends
from proofbook.stats.events import downtime_share_upper, gone_severity, silence_by_luck, silent_blocks

SEED = 20
LOOKS_A_DAY = 288


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One rule: the share of simulations that passed at the boundary, and at the alternative."""

    rule: str
    boundary: str
    false_pass: float
    alternative: str
    power: float
    simulations: int


def measure(*, scale: float = 1.0) -> list[Rate]:
    """Every rule. `scale` makes it quicker and coarser."""
    return [rule(np.random.default_rng(SEED), scale) for rule in RULES]


def success_rate(rng: np.random.Generator, scale: float) -> Rate:
    """Looks fixed beforehand, at a service that fails exactly as often as the target allows it not to."""
    plan = plans.plan_for(0.99)
    number = int(20_000 * scale)

    def passed(rate: float) -> float:
        steps = np.diff([0, *(n for n, _ in plan.looks)])
        failures = np.cumsum(rng.binomial(steps, rate, size=(number, len(steps))), axis=1)
        return float((failures <= [allowed for _, allowed in plan.looks]).any(axis=1).mean())

    return Rate(
        rule=f"success rate, {plan.describe()}",
        boundary="1 % fail",
        false_pass=passed(0.01),
        alternative="0.1 % fail",
        power=passed(0.001),
        simulations=number,
    )


def symptom_gone(rng: np.random.Generator, scale: float) -> Rate:
    """Seen before, not after: nothing was fixed, or everything."""
    number, before_n, after_n = int(600 * scale), 60, 365
    rate = 0.012

    def passed(after_rate: float) -> float:
        seen, hits = rng.binomial(before_n, rate, number), rng.binomial(after_n, after_rate, number)
        return float(
            np.mean([_gone(int(a), before_n, int(b), after_n) for a, b in zip(seen, hits, strict=True)])
        )

    def passed_often(before_rate: float) -> float:
        seen = rng.binomial(before_n, before_rate, number)
        return float(np.mean([_gone(int(a), before_n, 0, after_n) for a in seen]))

    return Rate(
        rule="symptom gone: severity of 95 %, Fisher's exact test, no occurrence",
        boundary="1.2 % of connections before and after",
        false_pass=passed(rate),
        alternative="10 % before, none after, of 60 and 365",
        power=passed_often(0.10),
        simulations=number,
    )


def _gone(seen: int, before_n: int, hits: int, after_n: int) -> bool:
    if hits or not seen:
        return False
    severity = gone_severity(seen_before=seen, count_before=before_n, count_after=after_n)
    return (
        severity >= 0.95
        and proportions.two_samples(before=(seen, before_n), after=(0, after_n)).p_value < 0.05
    )


def signature_gone(rng: np.random.Generator, scale: float) -> Rate:
    """A log signature over two equal windows, affected requests independent of each other."""
    return _signature(
        rng, scale, burst=1, rule="signature gone, affected requests one by one: Poisson and blocks"
    )


def bursting_signature_gone(rng: np.random.Generator, scale: float) -> Rate:
    """The same in bursts of ten that are shorter than a block."""
    return _signature(rng, scale, burst=10, rule="signature gone, in bursts of ten: Poisson and blocks")


def _signature(rng: np.random.Generator, scale: float, *, burst: int, rule: str) -> Rate:
    number, blocks = int(20_000 * scale), 5

    def passed(bursts_before: float, bursts_after: float) -> float:
        before = rng.poisson(bursts_before / blocks, size=(number, blocks))
        after = rng.poisson(bursts_after / blocks, size=(number, blocks))
        silent = after.sum(axis=1) == 0
        answers = {}
        total = 0
        for first, loud in zip(before[silent].sum(axis=1).tolist(), (before[silent] > 0).sum(axis=1).tolist(), strict=True):  # fmt: skip
            key = (first, loud)
            if key not in answers:
                luck = silence_by_luck(before_events=burst * first, before_exposure=1.0, after_exposure=1.0)
                second = silent_blocks(before=[1] * loud + [0] * (blocks - loud), after=[0] * blocks)
                answers[key] = bool(first) and max(luck, second) < 0.05
            total += answers[key]
        return total / number

    worst = max((passed(rate, rate), rate) for rate in (1.0, 2.0, 3.0, 5.0))
    return Rate(
        rule=rule,
        boundary=f"{worst[1]:g} bursts before and after are to be expected" if burst > 1 else f"{worst[1]:g} before and after are to be expected",
        false_pass=worst[0],
        alternative="20 before, none after",
        power=passed(20.0, 0.0),
        simulations=number,
    )  # fmt: skip


def latency(rng: np.random.Generator, scale: float) -> Rate:
    """The median ratio at the margin, with latencies that hang together (AR(1), 0.3)."""
    number, n, margin = int(300 * scale), 600, 1.2

    def series(shift: float) -> proportions.Floats:
        noise = rng.normal(scale=0.3 * np.sqrt(1 - 0.3**2), size=n)
        noise[0] /= np.sqrt(1 - 0.3**2)
        for place in range(1, n):
            noise[place] += 0.3 * noise[place - 1]
        return np.asarray(np.exp(np.log(0.04) + shift + noise), dtype=np.float64)

    def passed(ratio: float) -> float:
        return float(
            np.mean(
                [
                    bootstrap.median_ratio(series(0.0), series(np.log(ratio)), resamples=400).high < margin
                    for _ in range(number)
                ]
            )
        )

    return Rate(
        rule="latency: non-inferiority on the median, block bootstrap",
        boundary="the median is 1.2 times what it was",
        false_pass=passed(margin),
        alternative="it is what it was",
        power=passed(1.0),
        simulations=number,
    )


def memory(rng: np.random.Generator, scale: float) -> Rate:
    """Growth exactly at the budget, with readings that hang together (AR(1), 0.6).

    Batches of four readings are longer than that memory. Where readings hang together by 0.9 the false passes are about 7 %.
    """
    number, n = int(2_000 * scale), 48
    seconds = np.arange(n, dtype=np.float64) * 0.25

    def passed(slope: float, budget: float = 0.33) -> float:
        noise = rng.normal(scale=0.2, size=(number, n))
        noise[:, 0] /= np.sqrt(1 - 0.6**2)
        for place in range(1, n):
            noise[:, place] += 0.6 * noise[:, place - 1]
        found = [trends.batch_slope([(seconds, slope * seconds + row)]) for row in noise]
        return float(np.mean([item is not None and item.high <= budget for item in found]))

    return Rate(
        rule="memory: trend of batch means, widened for what correlation is left",
        boundary="growth exactly at the budget",
        false_pass=passed(0.33),
        alternative="no growth",
        power=passed(0.0),
        simulations=number,
    )


def memory_of_instances(rng: np.random.Generator, scale: float) -> Rate:
    """Instances that each grow in their own way, at the budget on average."""
    number, instances, n = int(300 * scale), 5, 24
    seconds = np.arange(n, dtype=np.float64)

    def passed(slope: float, budget: float = 0.33) -> float:
        good = 0
        for _ in range(number):
            own = rng.normal(slope, 0.05, size=instances)
            series = [(seconds, own[k] * seconds + rng.normal(scale=0.3, size=n)) for k in range(instances)]
            found = trends.instance_slope(series)
            good += found is not None and found.high <= budget
        return good / number

    return Rate(
        rule="memory of four instances or more: Theil-Sen slopes, t-interval over them",
        boundary="growth exactly at the budget, on average",
        false_pass=passed(0.33),
        alternative="no growth",
        power=passed(0.0),
        simulations=number,
    )


def absent(rng: np.random.Generator, scale: float) -> Rate:
    """Nothing recorded from before, and the symptom in exactly the share of requests that the budget allows at most."""
    number = int(20_000 * scale)
    needed = plans.fixed_n(0.99, failures=0)

    def passed(rate: float, count: int) -> float:
        hits = rng.binomial(count, rate, number)
        high = proportions.proportion(0, count).high
        return float(((hits == 0) & (high <= 0.01)).mean())

    return Rate(
        rule="symptom absent: no occurrence, upper bound below the budget",
        boundary=f"1 % of requests, {needed} requests",
        false_pass=passed(0.01, needed),
        alternative="0.005 % of requests, 500 requests",
        power=passed(0.00005, 500),
        simulations=number,
    )


def signature_gone_by_placebos(rng: np.random.Generator, scale: float) -> Rate:
    """A log signature with a day of history: 24 windows as long as the one after, in bursts of ten."""
    number, windows = int(20_000 * scale), 24

    def passed(before_rate: float, after_rate: float) -> float:
        bursts = rng.poisson(before_rate, size=(number, windows))
        after = rng.poisson(after_rate, size=number)
        p_placebo = (1 + (bursts == 0).sum(axis=1)) / (1 + windows)
        events = 10 * bursts.sum(axis=1)
        luck = (windows / (windows + 1.0)) ** events
        return float(((after == 0) & (np.maximum(p_placebo, luck) < 0.05)).mean())

    rates = [(passed(rate, rate), rate) for rate in (0.5, 1.0, 2.0, 3.0)]
    worst = max(rates)
    return Rate(
        rule="signature gone, in bursts of ten: Poisson and placebo windows",
        boundary=f"{worst[1]:g} bursts a window before and after",
        false_pass=worst[0],
        alternative="8 bursts a window before, none after",
        power=passed(8.0, 0.0),
        simulations=number,
    )


def downtime(rng: np.random.Generator, scale: float) -> Rate:
    """Jittered probes of a rollout that is down for exactly the budget, all at once."""
    number, window_s, budget_s, per_s = int(20_000 * scale), 8.0, 0.75, 20.0
    count = int(window_s * per_s)

    def passed(down_s: float) -> float:
        steps = rng.uniform(0.5, 1.5, size=(number, count)) / per_s
        at = np.cumsum(steps, axis=1)
        begins = rng.uniform(0, window_s - down_s, size=(number, 1))
        failed = (at >= begins) & (at < begins + down_s)
        failures = failed.sum(axis=1)
        upper = {k: downtime_share_upper(failures=int(k), count=count) * window_s for k in np.unique(failures)}  # fmt: skip
        return float(np.mean([upper[k] <= budget_s for k in failures]))

    return Rate(
        rule="downtime: upper bound of the failing share of jittered probes",
        boundary="down for 0.75 s of 8 s, as the budget allows at most",
        false_pass=passed(budget_s),
        alternative="down for 0.1 s",
        power=passed(0.1),
        simulations=number,
    )


def watching(rng: np.random.Generator, scale: float) -> Rate:
    """Wald's test asked after every one of 288 looks of 20 samples, at a service that is bad by a hair."""
    number, each = int(20_000 * scale), 20
    test = sequential.Wald(good=0.001, bad=0.01)

    def passed(rate: float) -> float:
        failures = np.cumsum(rng.binomial(each, rate, size=(number, LOOKS_A_DAY)), axis=1)
        counts = each * np.arange(1, LOOKS_A_DAY + 1)
        evidence = failures * np.log(test.good / test.bad) + (counts - failures) * np.log(
            (1 - test.good) / (1 - test.bad)
        )
        never = LOOKS_A_DAY
        up, down = evidence >= test.pass_above, evidence <= test.fail_below
        first_up = np.where(up.any(axis=1), up.argmax(axis=1), never)
        first_down = np.where(down.any(axis=1), down.argmax(axis=1), never)
        return float((first_up < first_down).mean())

    return Rate(
        rule=f"watching: Wald's test at each of {LOOKS_A_DAY} looks",
        boundary="1 % fail",
        false_pass=passed(0.01),
        alternative="0.1 % fail",
        power=passed(0.001),
        simulations=number,
    )


RULES: Sequence[Callable[[np.random.Generator, float], Rate]] = (
    success_rate,
    symptom_gone,
    signature_gone,
    bursting_signature_gone,
    signature_gone_by_placebos,
    absent,
    latency,
    memory,
    memory_of_instances,
    downtime,
    watching,
)


def bound(rate: float, simulations: int) -> float:
    """The upper 95 % bound of a simulated share.

    >>> round(bound(0.05, 20_000), 3)
    0.053
    """
    return float(special.betaincinv(rate * simulations + 1, simulations - rate * simulations, 0.95))


if __name__ == "__main__":
    for found in measure():
        print(
            f"{found.rule}: false pass {found.false_pass:.2%} ({found.boundary}), power {found.power:.1%} ({found.alternative}), {found.simulations:,} simulations"
        )
