"""Logs that a program prints: kubectl, docker and journalctl."""

from __future__ import annotations

import re

from proofbook.collect.logs.sources import Command, LogRequest
from proofbook.config.log_uri import NAME, LogPlace, LogSourceKind

_SELECTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,=!/() -]*")


def _namespace_and_selector(rest: str) -> dict[str, str]:
    namespace, slash, selector = rest.partition("/")
    if not slash or not NAME.fullmatch(namespace) or not _SELECTOR.fullmatch(selector):
        raise ValueError
    return {"namespace": namespace, "selector": selector}


def _kubectl(place: LogPlace, request: LogRequest) -> list[Command]:
    words = [
        "kubectl", "logs", f"--namespace={place.parts['namespace']}", f"--selector={place.parts['selector']}", "--all-containers",
        # With a selector it prints ten lines of each pod, and of five pods, by itself.
        "--tail=-1", "--max-log-requests=100", "--timestamps", "--prefix",
        f"--since-time={request.since:%Y-%m-%dT%H:%M:%SZ}",
    ]  # fmt: skip
    # What a container wrote that has been restarted since: often nobody has, which is no error.
    return [Command(words=words), Command(words=[*words, "--previous"], may_fail=True)]


def _container(rest: str) -> dict[str, str]:
    if not NAME.fullmatch(rest):
        raise ValueError
    return {"container": rest}


def _docker(place: LogPlace, request: LogRequest) -> list[Command]:
    since, until = f"{request.since:%Y-%m-%dT%H:%M:%SZ}", f"{request.until:%Y-%m-%dT%H:%M:%SZ}"
    words = ["docker", "logs", "--timestamps", f"--since={since}", f"--until={until}"]
    return [Command(words=[*words, place.parts["container"]], both=True)]


def _unit_and_folder(rest: str) -> dict[str, str]:
    """The unit, and the folder of the journal, which is empty for the machine's own."""
    unit, _, folder = rest.partition("?directory=")
    if not NAME.fullmatch(unit):
        raise ValueError
    return {"unit": unit, "folder": folder}


def _journalctl(place: LogPlace, request: LogRequest) -> list[Command]:
    words = [
        "journalctl", f"--unit={place.parts['unit']}", "--output=json", "--no-pager", "--quiet",
        f"--since=@{request.since.timestamp():.0f}", f"--until=@{request.until.timestamp():.0f}",
    ]  # fmt: skip
    folder = place.parts["folder"]
    return [Command(words=[*words, f"--directory={folder}"] if folder else words)]


K8S = LogSourceKind(usage="k8s:NAMESPACE/SELECTOR", parse=_namespace_and_selector, commands=_kubectl)
DOCKER = LogSourceKind(usage="docker:CONTAINER", parse=_container, commands=_docker)
JOURNALD = LogSourceKind(usage="journald:UNIT", parse=_unit_and_folder, commands=_journalctl)
