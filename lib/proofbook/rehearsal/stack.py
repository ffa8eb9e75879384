"""Keeps the rehearsal up: services as processes, one public address each, and rolling deployments on request.

Everything that others need lies in one folder (`up`): addresses, tokens, the log, the revisions and `state.json`.
A deployment is asked for by `request.json` and answered by `state.json`, each replaced in one step.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from proofbook.errors import CouldNotLook
from proofbook.rehearsal import auth, tokens
from proofbook.rehearsal.cloud_log import PROJECT
from proofbook.rehearsal.forwarder import Forwarder

# What the platform says of each build: the seed's figures for the image and the memory limit.
PLATFORM = {
    "before": {"image_bytes": 1_850_000_000, "memory": "2Gi"},
    "after": {"image_bytes": 407_000_000, "memory": "512Mi"},
}
DRAIN_S = 0.3


class Stack:
    """The running rehearsal. Start with `await start()`, end with `await stop()`."""

    def __init__(self, up: Path) -> None:
        self.up = up
        self.faults: list[str] = []
        self._number = 0
        self._forwarders = {name: Forwarder() for name in ("backend", "auth", "frontend")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._backend: subprocess.Popen[bytes] | None = None
        self._revisions: list[dict[str, Any]] = []
        self._secret = secrets.token_urlsafe(24)
        self._environment = {
            **os.environ,
            tokens.KEY_VARIABLE: secrets.token_urlsafe(32),
            auth.CLIENT_SECRET_VARIABLE: self._secret,
        }

    async def start(self, *, traffic: bool = True) -> None:
        """Brings everything up with the build from before the fix."""
        if self.up.exists():
            shutil.rmtree(self.up)
        (self.up / "logs").mkdir(parents=True)
        (self.up / "logs" / "backend.jsonl").touch()
        (self.up / "pid").write_text(str(os.getpid()))
        for forwarder in self._forwarders.values():
            await forwarder.start()
        for name in ("auth", "frontend"):
            port = free_port()
            self._processes[name] = self._spawn([name, str(port)], {})
            self._forwarders[name].switch(port)
        await self._start_backend("before", ())
        await asyncio.gather(
            *(
                self._wait_until_healthy(self._url(name), path)
                for name, path in (("auth", "/health"), ("frontend", "/healthz"))
            )
        )
        await self._write_addresses()
        if traffic:
            self._start_traffic()
        self._write_state("before")

    async def deploy(self, build: str, faults: Sequence[str]) -> None:
        """Rolls a new revision out behind the same address: start, switch, drain, end the old one."""
        old = self._backend
        self.faults = list(faults)
        await self._start_backend("before" if "fix-not-deployed" in faults else build, faults)
        await asyncio.sleep(DRAIN_S)
        if old is not None:
            old.terminate()
            await asyncio.to_thread(old.wait)
        self._write_state(build)

    async def serve(self) -> None:
        """Carries out requests to deploy until cancelled."""
        request_file = self.up / "request.json"
        while True:
            if request_file.exists():
                request = json.loads(request_file.read_text(encoding="utf-8"))
                request_file.unlink()
                await self.deploy(request["build"], request["faults"])
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Ends every process that this stack started."""
        processes = [*self._processes.values(), *([self._backend] if self._backend else [])]
        for process in processes[::-1]:
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 5)
            if process.poll() is None:
                process.kill()
        for forwarder in self._forwarders.values():
            await forwarder.stop()
        with contextlib.suppress(FileNotFoundError):
            (self.up / "pid").unlink()

    async def _start_backend(self, build: str, faults: Sequence[str]) -> None:
        self._number += 1
        revision = f"backend-{self._number:05d}"
        port = free_port()
        created = dt.datetime.now(dt.UTC)
        self._backend = self._spawn(
            ["backend", str(port)],
            {
                "REHEARSAL_BUILD": build,
                "REHEARSAL_REVISION": revision,
                "REHEARSAL_FAULTS": ",".join(faults),
                "REHEARSAL_LOG": str(self.up / "logs" / "backend.jsonl"),
            },
        )
        await self._wait_until_healthy(f"http://127.0.0.1:{port}", "/health")
        self._forwarders["backend"].switch(port)
        self._revisions.append(_revision(revision, "after" if self._number > 1 else "before", created))
        _replace(self.up / "revisions.json", json.dumps(self._revisions, indent=2))

    def _start_traffic(self) -> None:
        where = [self._url("backend"), self._url("auth"), str(self.up / "client-secret")]
        command = [sys.executable, "-m", "proofbook.rehearsal.traffic", *where]
        self._processes["traffic"] = subprocess.Popen(
            command, env=self._environment, stdin=subprocess.DEVNULL
        )

    def _spawn(self, arguments: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "proofbook.rehearsal.serve", *arguments]
        return subprocess.Popen(command, env={**self._environment, **variables}, stdin=subprocess.DEVNULL)

    async def _wait_until_healthy(self, base: str, path: str, *, timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        async with httpx.AsyncClient(timeout=2.0) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(base + path)).status_code == 200:
                        return
                await asyncio.sleep(0.05)
        raise CouldNotLook(
            f"expected the rehearsal's service at {base} to be healthy within {timeout_s:.0f} s, but it is not"
        )

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._forwarders[name].port}"

    async def _write_addresses(self) -> None:
        files = {f"{name}.url": self._url(name) for name in self._forwarders}
        files["backend-ws.url"] = self._url("backend").replace("http", "ws", 1) + "/ws"
        files["client-secret"] = self._secret
        async with httpx.AsyncClient(
            base_url=self._url("auth"), headers={"X-Client-Secret": self._secret}
        ) as client:
            for name, body in (
                ("token", {}),
                ("token-expired", {"lifetime_s": -60}),
                ("token-wrong-audience", {"audience": "somebody-else"}),
            ):
                answer = await client.post("/token", json={"user_id": "user_1", **body})
                files[name] = answer.raise_for_status().json()["access_token"]
        for name, text in files.items():
            file = self.up / name
            file.touch(mode=0o600)
            file.write_text(text + "\n", encoding="utf-8")

    def _write_state(self, build: str) -> None:
        _replace(
            self.up / "state.json",
            json.dumps(
                {"build": build, "faults": self.faults, "revision": self._revisions[-1]["metadata"]["name"]}
            ),
        )


def request_deployment(
    up: Path, *, build: str = "after", faults: Sequence[str] = (), timeout_s: float = 60.0
) -> str:
    """Asks the rehearsal that is up to roll out `build` and waits until it serves; gives the new revision's name.

    Raises:
        CouldNotLook: none is up, or it did not answer in time.
    """
    pid_file = up / "pid"
    if not pid_file.exists():
        raise CouldNotLook(
            f"expected a rehearsal to be up in {up}, found none; start it with: proofbook rehearse"
        )
    state_file = up / "state.json"
    before = state_file.read_text(encoding="utf-8")
    _replace(up / "request.json", json.dumps({"build": build, "faults": list(faults)}))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = state_file.read_text(encoding="utf-8")
        if state != before:
            return str(json.loads(state)["revision"])
        time.sleep(0.05)
    raise CouldNotLook(f"expected the rehearsal to deploy within {timeout_s:.0f} s, but it did not")


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _revision(name: str, build: str, created: dt.datetime) -> dict[str, Any]:
    platform = PLATFORM[build]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": name,
            "namespace": PROJECT,
            "creationTimestamp": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "annotations": {"image-size-bytes": str(platform["image_bytes"])},
        },
        "spec": {
            "containers": [
                {
                    "image": f"registry.invalid/{PROJECT}/backend:{build}",
                    "resources": {"limits": {"memory": platform["memory"]}},
                }
            ]
        },
    }


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
