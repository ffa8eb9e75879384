"""Executes a notebook of ours in the process of its worker, without a kernel: one process instead of two, and no messages between them.

The shell is the one that a kernel has, with what it sends kept instead of sent. A notebook that somebody else wrote gets a
kernel, since it may ask for what only that has: another language, a debugger, output that goes past Python.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import output_from_msg
from traitlets.config import Config

from proofbook import paths
from proofbook.execution.dispatch import Message

CONFIG = {
    # Nobody will look up what was typed.
    "HistoryManager": {"enabled": False},
    "HistoryAccessor": {"enabled": False},
}


def is_ours(source: Path) -> bool:
    """Whether a notebook is, byte for byte, one that ships with Proofbook."""
    shipped = paths.SHIPPED / "notebooks" / source.name
    return shipped.is_file() and shipped.read_bytes() == source.read_bytes()


def execute(manager: Any, *, home: Path, most_chars: int, cut: str) -> None:
    """Executes the cells of Papermill's notebook, as its client does by a kernel; a cell that raises is the last one.

    Args:
        home: a folder for what IPython keeps. most_chars: of a cell's output; `cut` says that there was more.
    """
    sent = _Sent(most_chars=most_chars, cut=cut)
    shell: Any = ZMQInteractiveShell.instance(config=Config(CONFIG), ipython_dir=str(home))
    for part in (shell.displayhook, shell.display_pub):
        part.session = sent
        # The socket is only handed on.
        part.pub_socket = sent
    with (
        contextlib.redirect_stdout(_Stream(sent, "stdout")),
        contextlib.redirect_stderr(_Stream(sent, "stderr")),
    ):
        for number, cell in enumerate(manager.nb.cells):
            try:
                manager.cell_start(cell, number)
                if cell.cell_type == "code" and cell.source.strip():
                    _run(shell, sent, cell)
            except CellExecutionError as error:
                manager.cell_exception(cell, cell_index=number, exception=error)
                break
            finally:
                manager.cell_complete(cell, cell_index=number)
    manager.nb.metadata["language_info"] = IPythonKernel.language_info


def _run(shell: Any, sent: _Sent, cell: Any) -> None:
    cell.outputs = sent.begin()
    cell.execution_count = shell.execution_count
    done = shell.run_cell(cell.source, store_history=True)
    if not done.success:
        error = done.error_before_exec or done.error_in_exec
        raise CellExecutionError("", type(error).__name__, str(error))


class _Sent(Session):
    """In the place of a kernel's session: makes outputs of a cell from what is sent."""

    def __init__(self, *, most_chars: int, cut: str) -> None:
        super().__init__()
        self._most_chars, self._cut = most_chars, cut
        self.outputs: list[Any] = []
        self._chars = 0

    def begin(self) -> list[Any]:
        """The list that gets the outputs of the next cell."""
        self.outputs, self._chars = [], 0
        return self.outputs

    def msg(self, msg_type: str, content: Any = None, *_: Any, **__: Any) -> Message:
        """A message with no more than becomes of it here."""
        return {"header": {"msg_type": msg_type}, "content": content or {}, "metadata": {}}

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *_: Any, **__: Any) -> None:
        """Keeps a message as an output."""
        made = self.msg(msg_or_type, content) if isinstance(msg_or_type, str) else msg_or_type
        if made["header"]["msg_type"] in ("display_data", "execute_result", "error"):
            self._keep(made, len(str(made["content"])))

    def write(self, name: str, text: str) -> None:
        """Keeps what was printed, with what was printed just before."""
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name and self._fits(len(text)):
            self._chars += len(text)
            last["text"] += text
            return
        self._keep(self.msg("stream", {"name": name, "text": text}), len(text))

    def _fits(self, chars: int) -> bool:
        return self._chars + chars <= self._most_chars

    def _keep(self, message: Message, chars: int) -> None:
        if not self._fits(chars):
            message = self.msg("stream", {"name": "stderr", "text": self._cut})
        if self._chars <= self._most_chars:
            self.outputs.append(output_from_msg(message))  # type: ignore[no-untyped-call]  # nbformat has no types
        self._chars += chars


class _Stream(io.TextIOBase):
    """What is printed becomes an output."""

    def __init__(self, sent: _Sent, name: str) -> None:
        self._sent, self.name = sent, name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._sent.write(self.name, text)
        return len(text)
