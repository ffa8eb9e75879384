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
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from proofbook.errors import CouldNotLook
from proofbook.files import replace_text
from proofbook.rehearsal import auth, tokens
from proofbook.rehearsal.certificates import Authority
from proofbook.rehearsal.cloud_log import PROJECT
from proofbook.rehearsal.forwarder import Forwarder

# What the platform says of each build: the seed's figures for the image and the memory limit.
PLATFORM = {
    "before": {"image_bytes": 1_850_000_000, "memory": "2Gi"},
    "after": {"image_bytes": 407_000_000, "memory": "512Mi"},
}
DRAIN_S = 0.3
# How a process is replaced without a deployment: conversations end first.
POLITE_DRAIN_S = 1.5
RESTART_EVERY_S = {"leak-hidden-by-restarts": 3.0, "restarts-as-policy": 8.0}
GAPS_S = {"gap-1s": 1.0, "gap-5s": 5.0}
CERTIFICATE_DAYS = {"certificate-expired": -1.0, "certificate-expiring": 5.0}
SOUND_DAYS = 90.0
PLATFORM_AGE_S = 3.0
# Whoever waits for a service is told at once when its process ends; a process that lives may be slow, on a busy machine.
UP_S = 300.0


class Stack:
    """The running rehearsal. Start with `await start()`, end with `await stop()`."""

    def __init__(self, up: Path) -> None:
        self.up = up
        self.faults: list[str] = []
        self._number = 0
        self._forwarders = {name: Forwarder() for name in ("backend", "auth", "frontend")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._backends: list[subprocess.Popen[bytes]] = []
        self._minding: asyncio.Task[None] | None = None
        # Every process that it starts has one end as its standard input; none outlives the other end, which is here alone.
        self._lifeline: tuple[int, int] | None = None
        self._days = SOUND_DAYS
        self._revisions: list[dict[str, Any]] = []
        self._secret = secrets.token_urlsafe(24)
        self._environment = {
            **os.environ,
            tokens.KEY_VARIABLE: secrets.token_urlsafe(32),
            auth.CLIENT_SECRET_VARIABLE: self._secret,
        }

    async def start(self, *, traffic: float = 1.0, faults: Sequence[str] = ()) -> None:
        """Brings everything up with the build from before the fix.

        Args:
            traffic: how much of the usual traffic; 0 for none. faults: those that were there before the deployment too.
        """
        if self.up.exists():
            shutil.rmtree(self.up)
        (self.up / "logs").mkdir(parents=True)
        (self.up / "logs" / "backend.jsonl").touch()
        (self.up / "pid").write_text(str(os.getpid()))
        self._authority = Authority(self.up)
        self._lifeline = os.pipe()
        for forwarder in self._forwarders.values():
            await forwarder.start()
        self._processes["auth"] = await self._start_process("auth", {})
        await self._start_frontend(SOUND_DAYS)
        await self._start_backend("before", faults)
        await self._write_addresses()
        if traffic:
            self._start_traffic(traffic)
        self._write_state("before")

    async def deploy(self, build: str, faults: Sequence[str]) -> None:
        """Rolls a new revision out behind the same address: start, switch, drain, end the old one."""
        await self._stop_minding()
        old = self._backends
        self.faults = list(faults)
        public = self._forwarders["backend"]
        public.half_open = "half-open" in faults
        public.max_age_s = PLATFORM_AGE_S if "sockets-end-at-age" in faults else None
        days = next((CERTIFICATE_DAYS[name] for name in faults if name in CERTIFICATE_DAYS), SOUND_DAYS)
        if days != self._days:
            await self._start_frontend(days)
        await self._start_backend(
            build, faults, gap_s=next((GAPS_S[name] for name in faults if name in GAPS_S), 0.0)
        )
        if "held-sockets-dropped" in faults:
            public.cut()
        if "going-away" in faults:
            for process in old:
                process.send_signal(signal.SIGUSR1)
        await asyncio.sleep(DRAIN_S)
        await self._end(old)
        self._write_state(build)
        self._minding = asyncio.create_task(self._mind(build, faults))

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
        await self._stop_minding()
        processes = [*self._processes.values(), *self._backends]
        for process in processes[::-1]:
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 5)
            if process.poll() is None:
                _kill(process)
        for forwarder in self._forwarders.values():
            await forwarder.stop()
        for end in self._lifeline or ():
            os.close(end)
        self._lifeline = None
        with contextlib.suppress(FileNotFoundError):
            (self.up / "pid").unlink()

    def pids(self) -> list[int]:
        """The processes that are up."""
        return [process.pid for process in (*self._processes.values(), *self._backends)]

    async def _start_backend(self, build: str, faults: Sequence[str], *, gap_s: float = 0.0) -> None:
        """A new revision: one instance, or two where a fault says so. The address then leads there, after a gap perhaps."""
        self._number += 1
        revision = f"backend-{self._number:05d}"
        created = dt.datetime.now(dt.UTC)
        first = self._revisions[0]["metadata"]["name"] if self._revisions else revision
        instances = [(build, revision, list(faults), 1.0)]
        if "fixed-on-one-of-two" in faults:
            instances.append((build, revision, ["recursion-not-fixed"], 1.0))
        if "old-revision-serves" in faults:
            instances.append(("before", first, [], 1 / 9))
        started: list[tuple[subprocess.Popen[bytes], int]] = []
        try:
            for instance in instances:
                started.append(await self._start_instance(*instance[:3]))
        except BaseException:
            # Nobody else knows of those that did start.
            for process, _ in started:
                _kill(process)
            raise
        self._backends = [process for process, _ in started]
        if gap_s:
            self._forwarders["backend"].switch()
            await asyncio.sleep(gap_s)
        self._forwarders["backend"].switch(
            *(port for _, port in started), weights=[instance[3] for instance in instances]
        )
        self._revisions.append(_revision(revision, "after" if self._number > 1 else "before", created))
        replace_text(self.up / "revisions.json", json.dumps(self._revisions, indent=2))

    async def _start_instance(
        self, build: str, revision: str, faults: Sequence[str]
    ) -> tuple[subprocess.Popen[bytes], int]:
        return await self._serve(
            "backend",
            {
                "REHEARSAL_BUILD": "before" if "fix-not-deployed" in faults else build,
                "REHEARSAL_REVISION": revision,
                "REHEARSAL_FAULTS": ",".join(faults),
                "REHEARSAL_LOG": str(self.up / "logs" / "backend.jsonl"),
            },
            path="/metrics",
        )

    async def _mind(self, build: str, faults: Sequence[str]) -> None:
        """What a platform does with instances between deployments: replaces them at an age, and starts crashed ones again."""
        revision = self._revisions[-1]["metadata"]["name"]
        every_s = next((RESTART_EVERY_S[name] for name in faults if name in RESTART_EVERY_S), None)
        public = self._forwarders["backend"]
        while every_s is not None:
            await asyncio.sleep(every_s)
            old = self._backends
            process, port = await self._start_instance(build, revision, faults)
            self._backends = [process, *old]
            public.switch(port)
            await asyncio.sleep(POLITE_DRAIN_S)
            self._backends = [process]
            await self._end(old)
        while "crash-loop" in faults:
            if self._backends[0].poll() is not None:
                public.switch()
                process, port = await self._start_instance(build, revision, faults)
                self._backends = [process]
                public.switch(port)
            await asyncio.sleep(0.05)

    async def _stop_minding(self) -> None:
        if self._minding is not None:
            self._minding.cancel()
            await asyncio.gather(self._minding, return_exceptions=True)
            self._minding = None

    async def _end(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            process.terminate()
        for process in processes:
            await asyncio.to_thread(process.wait)

    async def _start_frontend(self, days: float) -> None:
        """The frontend with a certificate that ends in `days`."""
        old = self._processes.pop("frontend", None)
        certificate, key = self._authority.issue("frontend", days=days)
        variables = {"REHEARSAL_CERTIFICATE": str(certificate), "REHEARSAL_KEY": str(key)}
        self._processes["frontend"] = await self._start_process("frontend", variables)
        self._days = days
        if old is not None:
            await self._end([old])

    async def _start_process(self, name: str, variables: dict[str, str]) -> subprocess.Popen[bytes]:
        scheme, path = ("https", "/healthz") if name == "frontend" else ("http", "/health")
        process, port = await self._serve(name, variables, path=path, scheme=scheme)
        self._forwarders[name].switch(port)
        return process

    def _start_traffic(self, share: float) -> None:
        where = [self._url("backend"), self._url("auth"), str(self.up / "client-secret"), str(share)]
        self._processes["traffic"] = self._spawn(["traffic", *where], {})

    async def _serve(
        self, service: str, variables: dict[str, str], *, path: str, scheme: str = "http"
    ) -> tuple[subprocess.Popen[bytes], int]:
        """A process of that service, healthy, and its port; one that does not come up is ended."""
        # The socket listens before the process that serves it begins: no other can take its port in between.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = int(listening.getsockname()[1])
            process = self._spawn(
                ["serve", service, str(listening.fileno())], variables, keep=(listening.fileno(),)
            )
        try:
            await _wait_until_healthy(process, f"{scheme}://127.0.0.1:{port}", path)
        except BaseException:
            _kill(process)
            raise
        return process, port

    def _spawn(
        self, words: list[str], variables: dict[str, str], *, keep: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        module, *arguments = words
        assert self._lifeline is not None
        return subprocess.Popen(
            [sys.executable, "-m", f"proofbook.rehearsal.{module}", *arguments],
            env={**self._environment, **variables},
            stdin=self._lifeline[0],
            pass_fds=keep,
        )

    def _url(self, name: str) -> str:
        scheme = "https" if name == "frontend" else "http"
        return f"{scheme}://127.0.0.1:{self._forwarders[name].port}"

    async def _write_addresses(self) -> None:
        files = {f"{name}.url": self._url(name) for name in self._forwarders}
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
        replace_text(
            self.up / "state.json",
            json.dumps(
                {"build": build, "faults": self.faults, "revision": self._revisions[-1]["metadata"]["name"]}
            ),
        )


def request_deployment(
    up: Path, *, build: str = "after", faults: Sequence[str] = (), timeout_s: float = UP_S
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
    replace_text(up / "request.json", json.dumps({"build": build, "faults": list(faults)}))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = state_file.read_text(encoding="utf-8")
        if state != before:
            return str(json.loads(state)["revision"])
        if not pid_file.exists():
            raise CouldNotLook("expected the rehearsal to deploy, but it ended meanwhile")
        time.sleep(0.05)
    raise CouldNotLook(f"expected the rehearsal to deploy within {timeout_s:.0f} s, but it did not")


async def _wait_until_healthy(
    process: subprocess.Popen[bytes], base: str, path: str, *, timeout_s: float = UP_S
) -> None:
    """Returns once it answers.

    Raises:
        CouldNotLook: its process ended, or lives and does not answer.
    """
    deadline = time.monotonic() + timeout_s
    # Whether it is up is the question here, not whether its certificate is sound.
    async with httpx.AsyncClient(timeout=timeout_s, verify=False) as client:
        asked = asyncio.ensure_future(_ask_until_well(client, base + path))
        try:
            while not asked.done():
                if process.poll() is not None:
                    raise CouldNotLook(
                        f"expected the rehearsal's service at {base} to come up, but its process ended with {process.returncode}"
                    )
                if time.monotonic() > deadline:
                    raise CouldNotLook(
                        f"expected the rehearsal's service at {base} to be healthy within {timeout_s:.0f} s, but it is not"
                    )
                await asyncio.wait({asked}, timeout=0.05)
            asked.result()
        finally:
            asked.cancel()


async def _ask_until_well(client: httpx.AsyncClient, url: str) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if (await client.get(url)).status_code == 200:
                return
        await asyncio.sleep(0.05)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that nobody waits for any more, and takes note of its end."""
    process.kill()
    process.wait()


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
