"""What a scheduler needs, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from proofbook.schedule import airflow, ci, cron, kubernetes, systemd
from proofbook.schedule.plan import Plan

FORMS: Mapping[str, Callable[[Plan], str]] = {
    "cron": cron.text,
    "systemd": systemd.text,
    "github": ci.github,
    "gitlab": ci.gitlab,
    "kubernetes": kubernetes.text,
    "airflow": airflow.text,
}
