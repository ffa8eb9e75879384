"""Kernel provisioner of Jupyter that starts a kernel as a copy of this process, with everything loaded.

Jupyter starts a kernel through a *provisioner*; this one is named in pyproject.toml. The copy is made before Papermill opens
anything, and then waits for the command that would have started a kernel.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy
import zmq
from ipykernel import kernelapp
from ipykernel.iostream import IOPubThread
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from zmq.eventloop.zmqstream import ZMQStream

from proofbook.execution import endings

NAME = "proofbook-copy"

_waiting: Copy | None = None


def wait_in_a_copy() -> str:
    """The name of the provisioner; forks the copy that will be the kernel and waits for its command."""
    global _waiting
    command, order = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(order)
        try:
            endings.end_with_parent(parent)
            _be_kernel(command)
        finally:
            os._exit(1)
    os.close(command)
    _waiting = Copy(pid, order)
    return NAME


class PipeInFolder(IOPubThread):
    """Takes what forked processes of a notebook print from a socket in the kernel's folder instead of an open TCP port."""

    address = ""

    def _setup_pipe_in(self) -> None:
        self._pipe_uuid = os.urandom(16)
        pipe = self.socket.context.socket(zmq.PULL)
        pipe.linger = 0
        pipe.bind(self.address)
        self._pipe_in = ZMQStream(pipe, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self) -> tuple[Any, Any]:
        context: Any = zmq.Context()
        pipe = context.socket(zmq.PUSH)
        pipe.linger = 3000
        pipe.connect(self.address)
        return context, pipe


class Copy:
    """The forked copy, with the interface of a process that Jupyter started."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, order: int) -> None:
        self.pid, self._order = pid, order
        self._status: int | None = None

    def start(self, words: list[str], *, cwd: str, environment: dict[str, str]) -> None:
        """Sends the copy the command of the kernel that it becomes."""
        with os.fdopen(self._order, "wb") as order:
            order.write(json.dumps([words, cwd, environment]).encode())

    def poll(self) -> int | None:
        """Its exit status, None while it lives."""
        if self._status is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if ended else None
        return self._status

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class CopyProvisioner(LocalProvisioner):
    """Starts a kernel of this Python in the waiting copy; any other kernel as Jupyter does."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        global _waiting
        words = cmd[3:] if cmd[:3] == [sys.executable, "-m", "ipykernel_launcher"] else None
        if _waiting is None or words is None:
            return await super().launch_kernel(cmd, **kwargs)
        copy, _waiting = _waiting, None
        copy.start(words, cwd=str(kwargs.get("cwd") or Path.cwd()), environment=kwargs["env"])
        # A group of its own: Jupyter signals the group, and that of the worker is not meant.
        self.process = copy  # type: ignore[assignment]  # all that is asked of a Popen is there
        self.pid = self.pgid = copy.pid
        return self.connection_info


def _be_kernel(command: int) -> None:
    os.setsid()
    with os.fdopen(command, "rb") as orders:
        told = orders.read()
    if not told:
        os._exit(0)  # no kernel was wanted after all
    words, cwd, environment = json.loads(told)
    os.environ.clear()
    os.environ.update(environment | {"JPY_PARENT_PID": str(os.getppid())})
    os.chdir(cwd)
    sys.argv = ["ipykernel_launcher", *words]
    PipeInFolder.address = f"ipc://{Path(words[words.index('-f') + 1]).parent}/kernel-0"
    vars(kernelapp)["IOPubThread"] = PipeInFolder
    # The copies must not all draw the same numbers.
    numpy.random.seed()
    with contextlib.suppress(SystemExit):
        kernelapp.launch_new_instance(argv=words)
    # What ipykernel closes at the end ends with the process, and closing it waits for a thread that may wait for what was closed:
    # one kernel in twelve took three seconds to end.
    atexit.unregister(kernelapp.IPKernelApp.instance().close)
    atexit._run_exitfuncs()
    os._exit(0)
