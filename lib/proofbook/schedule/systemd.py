"""Units of systemd."""

from __future__ import annotations

import re
from collections.abc import Iterable

from proofbook.schedule.plan import Plan

FOLDER = "/etc/systemd/system"
PLAIN = re.compile(r"[\w@+=:,./-]+")


def text(plan: Plan) -> str:
    """The files: a service and a timer that run, and a pair that says when no run came."""
    files = {
        f"{plan.name}.service": _service(plan, plan.title, plan.run(here=True), with_inconclusive=True),
        f"{plan.name}.timer": _timer(plan, plan.title, first_s=60),
        f"{plan.name}-due.service": _service(
            plan, f"{plan.title}: due", plan.due(here=True), with_inconclusive=False
        ),
        f"{plan.name}-due.timer": _timer(
            plan, f"{plan.title}: due", first_s=60 + plan.every_s + plan.every_s // 2
        ),
    }
    shown = "\n".join(f"# {FOLDER}/{name}\n{content}" for name, content in files.items())
    timers = " ".join(f"{name}" for name in files if name.endswith(".timer"))
    return f"{shown}\n# To install: write these files, then\n# systemctl daemon-reload && systemctl enable --now {timers}\n"


def _service(plan: Plan, title: str, words: Iterable[str], *, with_inconclusive: bool) -> str:
    lines = [
        "[Unit]",
        f"Description={_escaped(title)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={plan.user}",
        f"WorkingDirectory={_escaped(str(plan.folder))}",
        f"ExecStart={_joined([*plan.program, *words])}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in plan.variables),
    ]
    if plan.secrets:
        lines += [
            f"# Readable by root alone; has to set {', '.join(plan.secrets)}: lines of NAME=value.",
            f"EnvironmentFile=/etc/proofbook/{plan.name}.env",
        ]
    if with_inconclusive:
        lines += ["# Inconclusive (3) is no failure of the unit.", "SuccessExitStatus=3"]
    return "\n".join(
        [
            *lines,
            "# Nothing is started again before its time: a check that is repeated until it passes proves nothing.",
            "Restart=no",
            f"TimeoutStartSec={plan.every_s}",
            "UMask=0077",
            "NoNewPrivileges=yes",
            "",
        ]
    )


def _timer(plan: Plan, title: str, *, first_s: int) -> str:
    return "\n".join(
        [
            "[Unit]",
            f"Description={_escaped(title)}",
            "",
            "[Timer]",
            f"OnActiveSec={first_s}s",
            "# A unit that still runs is not started a second time.",
            f"OnUnitActiveSec={plan.every_s}s",
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        ]
    )


def _joined(words: Iterable[str]) -> str:
    return " ".join(_quoted(word).replace("$", "$$") for word in words)


def _quoted(word: str) -> str:
    escaped = _escaped(word)
    if PLAIN.fullmatch(word):
        return escaped
    inside = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
