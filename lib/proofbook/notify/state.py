"""What was told of an environment, and what still has to be told to whom: `notify.json` beside its runs.

A notice is written here before anybody is sent it, and taken out for a receiver once that one has taken it. Whoever is killed
between the two sends it again, under the same id: twice is better than never.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from proofbook import paths
from proofbook.errors import FULL
from proofbook.files import overwrite, read_text, replace_text
from proofbook.notify.news import Silence, Told
from proofbook.notify.notice import Notice
from proofbook.runs.permissions import file_mode

FILE = "notify.json"
VERSION = 1
# A receiver that is gone for good does not fill the disk; what is newest matters most.
MOST_PENDING = 100
# Spaces behind the state, so that a few more notices fit into the same file while the disk is full.
SPARE_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What was told of each case of an environment and of its silence; pending: what each receiver, by name, has yet to be told."""

    version: int = VERSION
    cases: Mapping[str, Told] = field(default_factory=dict)
    silence: Silence = field(default_factory=Silence)
    pending: Mapping[str, tuple[Notice, ...]] = field(default_factory=dict)

    def of(self, case: str) -> Told:
        """What was told of a case."""
        return self.cases.get(case, Told())

    def with_case(self, case: str, told: Told) -> State:
        return replace(self, cases={**self.cases, case: told})

    def with_notice(self, notice: Notice, receivers: list[str]) -> State:
        """The state in which a notice still has to be told to all of these."""
        added = {name: (*self.pending.get(name, ()), notice)[-MOST_PENDING:] for name in receivers}
        return replace(self, pending={**self.pending, **added})

    def delivered(self, receiver: str) -> State:
        """The state in which a receiver has got the first notice of those that it waited for."""
        return replace(self, pending={**self.pending, receiver: self.pending[receiver][1:]})

    def only_for(self, receivers: list[str]) -> State:
        """The state without receivers that the environment does not name any more."""
        return replace(self, pending={name: self.pending.get(name, ()) for name in receivers})


_state = TypeAdapter(State)


def read(environment: Path) -> tuple[State, str]:
    """The state in an environment's folder, and a sentence where it was there and could not be used."""
    path = environment / FILE
    try:
        found = _state.validate_json(read_text(path))
        if found.version == VERSION:
            return found, ""
        why = f"it has version {found.version}"
    except (FileNotFoundError, NotADirectoryError):
        return State(), ""
    except (OSError, UnicodeDecodeError, ValidationError, ValueError):
        why = "it was altered or damaged"
    return (
        State(),
        f"notify: {paths.shown(path)} cannot be used ({why}): begun anew, so a verdict may be told again",
    )


def write(state: State, environment: Path) -> None:
    """Writes the state; on a full disk over the former one, into the room that it left.

    Raises:
        OSError: it cannot be written.
    """
    text = _state.dump_json(state, indent=2).decode() + "\n"
    try:
        replace_text(environment / FILE, text + " " * SPARE_BYTES, mode=file_mode())
    except OSError as error:
        if error.errno not in FULL or not (environment / FILE).is_file():
            raise
        overwrite(environment / FILE, text)
