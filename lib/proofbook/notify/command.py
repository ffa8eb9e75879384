"""Tells a program: a notice as JSON on its standard input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from proofbook.config.references import fill_python
from proofbook.config.unattended import Command
from proofbook.notify.notice import NotDelivered, Notice


def tell(notice: Notice, receiver: Command, *, home: Path) -> None:
    """Runs the program in a folder. What it prints is not shown.

    Raises:
        NotDelivered: it is not there, did not end in time, or did not end with 0.
    """
    words = fill_python(receiver.run)
    program = Path(words[0]).name
    try:
        # A session of its own can be ended as a whole.
        process = subprocess.Popen(
            words, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise NotDelivered(f"{program} cannot be started ({error.strerror})") from None
    try:
        process.communicate(json.dumps(notice.to_json()).encode(), timeout=receiver.timeout_s)
    except subprocess.TimeoutExpired:
        raise NotDelivered(f"{program} did not end within {receiver.timeout_s:g} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        raise NotDelivered(f"{program} ended with exit code {process.returncode}")
