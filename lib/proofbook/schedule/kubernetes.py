"""A CronJob for Kubernetes, and one that says when no run came."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from proofbook.schedule.document import in_yaml
from proofbook.schedule.plan import Plan, cron_times

IMAGE = "registry.example.com/proofbook:latest"
OUTPUTS = "/outputs"
# Any; the image knows none.
UID = 10001


def text(plan: Plan) -> str:
    """Two CronJobs that share a volume."""
    # An exit code of its own for inconclusive would make the job one that failed, and there is no way to say otherwise.
    run = f'code=0; {shlex.join(["proofbook", *plan.run(here=False)])} || code=$?; [ "$code" -eq 3 ] && exit 0; exit "$code"'
    due = shlex.join(["proofbook", *plan.due(here=False)])
    if plan.tells:
        # To be overdue is an answer, and who is to hear of it is told.
        due = f'code=0; {due} || code=$?; [ "$code" -eq 5 ] && exit 0; exit "$code"'
    notes = [
        plan.title,
        f"Put in your image, with your environment files (docs/how-to/run-in-a-container.md), and a volume claim {plan.name}.",
        *(
            [
                f"kubectl create secret generic {plan.name} {' '.join(f'--from-literal={name}=…' for name in plan.secrets)}"
            ]
            if plan.secrets
            else []
        ),
    ]
    return in_yaml(
        notes,
        _job(plan, plan.name, run, cron_times(plan)),
        _job(plan, f"{plan.name}-due", due, cron_times(plan, later=True)),
    )


def _job(plan: Plan, name: str, script: str, times: str) -> dict[str, object]:
    container = {
        "name": "proofbook",
        "image": IMAGE,
        "command": ["/bin/sh", "-c", script],
        "env": [
            *([{"name": "PROOFBOOK_OUTPUTS", "value": plan.store}] if plan.store else []),
            # The volume holds what could not be sent to a store, too.
            {"name": "PROOFBOOK_SCRATCH" if plan.store else "PROOFBOOK_OUTPUTS", "value": OUTPUTS},
            *_secrets(plan.secrets, plan.name),
        ],
        "volumeMounts": [{"name": "outputs", "mountPath": OUTPUTS}, {"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    pod = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": UID, "fsGroup": UID},
        "containers": [container],
        "volumes": [
            {"name": "outputs", "persistentVolumeClaim": {"claimName": plan.name}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    job = {"backoffLimit": 0, "activeDeadlineSeconds": plan.every_s, "template": {"spec": pod}}
    spec = {
        "schedule": times,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": max(60, plan.every_s // 2),
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": job},
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def _secrets(names: Iterable[str], secret: str) -> list[dict[str, object]]:
    return [{"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in names]
