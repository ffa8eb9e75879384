"""Where things lie: the nearest parent folder with `notebooks/` is the workspace."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Literal

from proofbook.errors import UnknownName, UsageError

# The wheel carries a copy of the notebooks; an editable install has those of the checkout.
_IN_WHEEL = Path(__file__).parent / "shipped"
LONGEST_NAME = 100
# What a folder of evidence is known by.
MANIFEST = "manifest.json"
# Notebooks that ask and judge nothing: no run executes them.
LOOKING = ("10-incident",)
_NAME = re.compile(r"\w[\w .+-]*")
# Object stores in which runs can be kept, each with the package that fsspec speaks with it by; `file` is a folder like any other.
STORES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs", "file": ""}
_ADDRESS = re.compile(
    r"(?P<kind>[A-Za-z][\w+.-]*)://(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<more>.*)", re.DOTALL
)
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else Path(__file__).parents[2]
# What is used outside a workspace, too; any other file of a checkout belongs to whoever keeps it there.
FOR_ALL = {"environments": "rehearsal", "cases": "ssot-fixes"}


def root(start: Path | None = None) -> Path:
    """The workspace that `start` (default: the current folder) belongs to.

    A folder without one gets the notebooks that were installed, so that a pip install works without a clone.

    Raises:
        UsageError: neither a parent folder nor the installed package holds notebooks, or they belong to another user.
    """
    named = os.environ.get("PROOFBOOK_WORKSPACE")
    here = Path(named) if named else (start or Path.cwd())
    for folder in (here, *here.resolve().parents):
        if (folder / "notebooks" / "02-websocket.ipynb").is_file():
            found = folder.resolve()
            if found != SHIPPED and not (named and folder == here):
                _check_owner(found)
            return found
    if (SHIPPED / "notebooks").is_dir():
        return SHIPPED
    raise UsageError(
        f"expected a folder with notebooks/ at or above {here}, found none; run the command inside a workspace"
    )


def _check_owner(workspace: Path) -> None:
    """Whose notebooks would be executed: only those of this user or of root are, unless they are named.

    Raises:
        UsageError: they belong to another user.
    """
    ours = {os.geteuid(), 0}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdigit():
        ours.add(int(os.environ["SUDO_UID"]))
    for path in (workspace, workspace / "notebooks", workspace / "notebooks" / "02-websocket.ipynb"):
        owner = path.stat().st_uid
        if owner not in ours:
            raise UsageError(
                f"expected notebooks of your own, found {shown(path)} of user {owner}, whose code would be executed as you; if you trust it: PROOFBOOK_WORKSPACE={shlex.quote(str(workspace))}"
            )


def home(base: Path) -> Path:
    """The folder that relative paths in environment files mean: the workspace, or the current folder without one."""
    return Path.cwd() if _is_no_workspace(base) else base


def _is_no_workspace(base: Path) -> bool:
    """Whether these notebooks are used because the current folder belongs to no workspace, and nobody named one."""
    named = os.environ.get("PROOFBOOK_WORKSPACE")
    inside = Path(named).resolve() if named else Path.cwd()
    return base == SHIPPED and not inside.is_relative_to(base)


def from_here(path: str, *, base: Path) -> str:
    """A path that was typed in the current folder, as files of the workspace write it; nothing stays nothing."""
    if not path or Path(path).is_absolute():
        return path
    return os.path.relpath(Path.cwd() / path, home(base))


def named(kind: str, base: Path) -> dict[str, Path]:
    """The files of a kind (`environments`, `cases`) by name; `*.example.toml` are none yet."""
    there = _toml_files(base / "notebooks" / kind)
    if _is_no_workspace(base):
        there = {name: path for name, path in there.items() if name == FOR_ALL[kind]}
    return there | _toml_files(home(base) / kind)


def kept(kind: str, base: Path) -> Path:
    """The folder in which a file of a kind (`environments`, `cases`) is kept: of the workspace, else of the current folder."""
    return (base / "notebooks" if home(base) == base else home(base)) / kind


def notebooks(base: Path) -> dict[str, Path]:
    """The judging notebooks and the report by name (`02-websocket`), in their order."""
    found = (base / "notebooks").glob("*.ipynb")
    return {path.stem: path for path in sorted(found) if path.stem[:2].isdigit() and path.stem not in LOOKING}


def outputs(base: Path) -> Path:
    """Where runs are kept on this machine: `outputs/` of the workspace, or PROOFBOOK_OUTPUTS (relative to the current folder).

    Where that is the address of an object store it is the copy of the store: a folder for each address in `.outputs/` of the
    workspace, or in PROOFBOOK_SCRATCH.

    Raises:
        UsageError: the address cannot be used.
    """
    if address := store():
        import hashlib  # late: few need it

        scratch = os.environ.get("PROOFBOOK_SCRATCH")
        place = Path(scratch).resolve() if scratch else home(base) / ".outputs"
        words = re.sub(r"[^A-Za-z0-9]+", "-", address).strip("-")[:60]
        return place / f"{words}-{hashlib.sha256(address.encode()).hexdigest()[:6]}"
    named = os.environ.get("PROOFBOOK_OUTPUTS")
    if named:
        return Path(named).resolve()
    return home(base) / "outputs"


def store() -> str:
    """The address of the object store that keeps the runs, such as `s3://bucket/proofbook`; empty where a folder keeps them.

    Raises:
        UsageError: it is of an unknown kind, names no bucket, or holds what must not be shown.
    """
    found = _ADDRESS.fullmatch(os.environ.get("PROOFBOOK_OUTPUTS", ""))
    if found is None:
        return ""
    kind, host, path = found["kind"].lower(), found["host"], found["path"].rstrip("/")
    if "@" in host or found["more"]:
        # What came is not repeated: it may be a password.
        raise UsageError(
            "PROOFBOOK_OUTPUTS: expected an address without user, password and query, since it is shown in messages; what opens the store belongs into the variables of its client, such as AWS_ACCESS_KEY_ID or AZURE_STORAGE_ACCOUNT_NAME"
        )
    if kind not in STORES:
        known = ", ".join(f"{name}://" for name in STORES)
        raise UsageError(f"PROOFBOOK_OUTPUTS: expected a folder, or an address that begins with one of {known}, got {kind}://")  # fmt: skip
    if bool(host) is (kind == "file") or not re.fullmatch(r"[\w.-]*(/[\w=+. -]*[\w=+ -])*", host + path):
        raise UsageError(
            f"PROOFBOOK_OUTPUTS: expected an address such as {kind}://{'/srv/runs' if kind == 'file' else 'bucket/proofbook'}, of letters, digits and . _ - + =, got {kind}://{host}{path}"
        )
    return f"{kind}://{host}{path}"


def find_file(kind: Literal["environment", "case"], name: str, *, base: Path) -> Path:
    """The file that a name or a path means.

    Raises:
        UnknownName: neither a known name nor an existing file. UsageError: it is a file of a workspace that nobody is in.
    """
    known = named(f"{kind}s", base)
    path = known.get(name)
    if path is None and name.endswith(".toml") and is_file(Path(name)):
        path = Path(name).resolve()
    there = base / "notebooks" / f"{kind}s"
    if path is None and _is_no_workspace(base) and name in _toml_files(there):
        raise UsageError(
            f"the {kind} {name!r} belongs to the workspace {base}, and the current folder does not; go to the workspace that you mean, or name it: PROOFBOOK_WORKSPACE={shlex.quote(str(base))}"
        )
    if path is None:
        raise UnknownName(kind, name, known, where=shown(kept(f"{kind}s", base)))
    if not is_name(path.stem):
        raise UsageError(
            f"{shown(path)}: expected a file name that begins with a letter or a digit and goes on with those, spaces or any of . _ - + (at most {LONGEST_NAME}), since the {kind} is called by it; rename the file"
        )
    return path


def is_file(path: Path) -> bool:
    """Whether there is such a file; what cannot be the name of one is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_name(text: str) -> bool:
    """Whether an environment, a case or a run may be called so: the name of one folder or file, that leads nowhere else.

    >>> is_name("eu-west 1.staging"), is_name(".."), is_name("../../etc"), is_name("")
    (True, False, False, False)
    """
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def shown(path: Path) -> str:
    """A path as a user would type it: relative to the current folder where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _toml_files(folder: Path) -> dict[str, Path]:
    found = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    return {path.stem: path for path in found if not path.name.endswith(".example.toml")}
