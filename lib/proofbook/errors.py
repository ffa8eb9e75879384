"""The exceptions of Proofbook, with the exit code of each.

ProofbookError
├── UsageError              the command or a file is wrong: known before the network is touched, exit 2
│   ├── ConfigurationError  an environment or case file holds something unusable
│   ├── UnknownName         an environment, case, notebook or check that is not there
│   ├── MissingValue        a referenced value (variable, file, command) could not be read
│   │   └── MissingSecret   … and it is a secret
│   └── Locked              another process writes the run or the index: exit 75, try again later
├── CouldNotLook            collecting or judging itself failed: exit 4
│   ├── TimeIsOver          a run, or the whole command, was not done within its time
│   ├── ExtensionError      something that another package registers cannot be used
│   ├── EvidenceError       recorded evidence is absent, altered or of another version
│   │   └── SchemaError     a table is not what its schema says
│   ├── SecretFound         a secret stands in a file of a run
│   ├── NoRoom              the disk is full, or a quota reached
│   └── InternalError       an unexpected exception; made by `unexpected.keep`
└── CheckFailed             a notebook asked for it with `book.require()`

A check that fails is a value (a Finding), never an exception, unless a notebook asks for one.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path

# Set in kernels of `proofbook run`, which judges by findings: there a failed check must not look like a broken notebook.
JUDGED_BY_RUN = "PROOFBOOK_JUDGED_BY_RUN"
EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3, "error": 4}
EXIT_USAGE = 2
# `due`: an environment has had no finished run in time.
EXIT_OVERDUE = 5
# EX_TEMPFAIL of sysexits.h: the same command may succeed later.
EXIT_LOCKED = 75
EXIT_INTERRUPTED = 130
# What the system says where nothing more can be written.
FULL = (errno.ENOSPC, errno.EDQUOT)


class ProofbookError(Exception):
    """Base of all; its text is one sentence that a user can act on. `reason`: what run.json says of a run that it ended."""

    reason = "usage"
    exit_code = EXIT_CODES["error"]


class UsageError(ProofbookError):
    """The command or a file is wrong; nothing was probed."""

    exit_code = EXIT_USAGE


class ConfigurationError(UsageError):
    """A file holds something that cannot be used.

    Attributes:
        file: path as the user would type it.
        problems: (key, what was wanted and what came) pairs.
    """

    def __init__(self, file: str, problems: Iterable[tuple[str, str]]) -> None:
        self.file = file
        self.problems = list(problems)
        super().__init__(file, self.problems)

    def __str__(self) -> str:
        return "\n".join(
            f"{self.file}: {key}: {what}" if key else f"{self.file}: {what}" for key, what in self.problems
        )


class UnknownName(UsageError):
    """An unknown name, with the nearest known one; or_else: what is said where none is known."""

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, where: str = "", or_else: str = "none"
    ) -> None:
        self.kind = kind
        self.name = name
        self.known = sorted(known)
        self.where = where
        self.or_else = or_else
        super().__init__(kind, name)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, self.known, n=1)
        place = f" in {self.where}" if self.where else ""
        if near:
            return f"there is no {self.kind} {self.name!r}{place}; did you mean {near[0]!r}?"
        known = ", ".join(self.known) if self.known else self.or_else
        return f"there is no {self.kind} {self.name!r}{place}; there are: {known}"


class MissingValue(UsageError):
    """A value that a file references (a variable, a file, a command) could not be read."""

    noun = "value"

    def __init__(self, reference: str, why: str, *, where: str) -> None:
        self.reference = reference
        self.why = why
        self.where = where
        super().__init__(reference, why)

    def __str__(self) -> str:
        return f"{self.where}: cannot read the {self.noun} from {self.reference}: {self.why}"


class MissingSecret(MissingValue):
    """A referenced secret could not be read. The message never contains its value."""

    noun = "secret"


class Locked(UsageError):
    """Another process writes the same folder; nothing was touched.

    Attributes:
        folder: as the user would type it. by: which process, and since when.
    """

    reason = "locked"
    exit_code = EXIT_LOCKED

    def __init__(self, folder: str, *, by: str) -> None:
        self.folder = folder
        self.by = by
        super().__init__(folder, by)

    def __str__(self) -> str:
        return f"{self.folder} is being written by {self.by}; wait until it has ended and try again"


class CheckFailed(ProofbookError):
    """Required checks of a notebook did not hold.

    Attributes:
        checks: their ids.
    """

    exit_code = EXIT_CODES["fail"]

    def __init__(self, sentence: str, *, checks: Iterable[str]) -> None:
        self.checks = tuple(checks)
        super().__init__(sentence)


class CouldNotLook(ProofbookError):
    """Collecting or judging itself failed: the verdict is `error`, not `fail`."""

    reason = "could-not-look"


class TimeIsOver(CouldNotLook):
    """A run, or the whole command, was not done within the time that it was given."""

    reason = "time-out"


class ExtensionError(CouldNotLook):
    """Something that another package registers cannot be used; the rest goes on without it.

    Attributes:
        kind: what it is registered as. name: by which name. place: the module and package. why: in words.
    """

    reason = "extension"

    def __init__(self, kind: str, name: str, *, place: str, why: str) -> None:
        self.kind = kind
        self.name = name
        self.place = place
        self.why = why
        super().__init__(kind, name, why)

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} ({self.place}): {self.why}"


class SecretFound(CouldNotLook):
    """A known secret was found in a file of a run; its report is deleted."""

    reason = "secret-found"


class NoRoom(CouldNotLook):
    """The disk is full, or a quota reached.

    Attributes:
        what: in the system's own words, with the file where it names one.
    """

    reason = "no-room"

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)

    def __str__(self) -> str:
        return f"there is no room to write: {self.what}; make room there, then try again"


class EvidenceError(CouldNotLook):
    """Recorded evidence is absent, altered, or written by another version."""


class SchemaError(EvidenceError):
    """A table is not what its schema says, so it is not written.

    Attributes:
        table: its name. column: the column that it is about, or empty. why: in words.
    """

    reason = "wrong-table"

    def __init__(self, table: str, column: str, why: str) -> None:
        self.table = table
        self.column = column
        self.why = why
        super().__init__(table, column, why)

    def __str__(self) -> str:
        place = f"table {self.table!r}, column {self.column!r}" if self.column else f"table {self.table!r}"
        return f"{place}: {self.why}"


class InternalError(CouldNotLook):
    """An unexpected exception: a defect of Proofbook, a missing permission.

    Attributes:
        what: the exception in a few words, without secrets.
        where: file and line.
        kept: where the traceback is; None where it could not be written anywhere.
    """

    reason = "internal-error"

    def __init__(self, what: str, *, where: str, kept: Path | None) -> None:
        self.what = what
        self.where = where
        self.kept = kept
        super().__init__(what)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        kept = (
            f"its traceback is in {self.kept}" if self.kept else "its traceback could not be written anywhere"
        )
        return f"internal error: {self.what}{place}; {kept}"
