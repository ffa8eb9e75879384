"""An object store as fsspec reaches it, and what goes wrong with one, in words."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofbook import paths
from proofbook.runs.stored import STATE

# Clients wait for minutes, and try again for as long; `object_store` gives up sooner than that.
PATIENT: Mapping[str, Mapping[str, Any]] = {
    "s3": {
        "config_kwargs": {
            "connect_timeout": 5,
            "read_timeout": 30,
            "retries": {"max_attempts": 2, "mode": "standard"},
        }
    },
    "file": {"auto_mkdir": True},
}

# What opens a store.
CREDENTIALS: Mapping[str, str] = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "abfs": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
Info = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What the store has of an environment: of each run its files, and the files beside them, with what is known of each."""

    runs: dict[str, dict[str, Info]] = field(default_factory=dict)
    state: dict[str, Info] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A store, and the folder here that is the copy of it.

    client: a file system of fsspec. root: the address in it. mode: permissions of a run's folder. alive: told that something moves.
    """

    client: Any
    root: str
    here: Path
    mode: int = 0o700
    alive: Callable[[], None] = lambda: None

    def listed(self, under: str = "") -> dict[str, There]:
        """What the store has, by environment. under: of one environment, or of one run as `ENVIRONMENT/RUN`."""
        place = f"{self.root}/{under}".rstrip("/")
        found: dict[str, There] = {}
        files = self.client.find(place, detail=True)
        if not files and "abfs" in self.client.protocol:
            # For this client a container that is not there is one without files.
            self.client.info(self.root.partition("/")[0])
        for path, info in files.items():
            parts = path.removeprefix(self.root).strip("/").split("/")
            # What was put there by others may be called anything.
            if not all(map(paths.is_name, parts[:2])) or info.get("type") != "file":
                continue
            if len(parts) > 2 and not any(part.startswith(".") or not part for part in parts):
                there = found.setdefault(parts[0], There())
                there.runs.setdefault(parts[1], {})["/".join(parts[2:])] = info
            elif len(parts) == 2 and parts[1] in STATE:
                found.setdefault(parts[0], There()).state[parts[1]] = info
        self.alive()
        return found

    def of_run(self, run: str) -> dict[str, Info]:
        """What the store has of a run, which is named as `ENVIRONMENT/RUN`."""
        environment, _, name = run.partition("/")
        return self.listed(run).get(environment, There()).runs.get(name, {})

    def put(self, files: Sequence[Path], to: Sequence[str]) -> None:
        """Writes files to these places in the store."""
        if files:
            self.client.put([str(path) for path in files], [f"{self.root}/{name}" for name in to], callback=self._callback())  # fmt: skip

    def get(self, files: Sequence[str], to: Sequence[Path]) -> None:
        """Writes files of the store to these places here."""
        if files:
            self.client.get([f"{self.root}/{name}" for name in files], [str(path) for path in to], callback=self._callback())  # fmt: skip

    def stamp(self, name: str) -> str:
        """What a file beside the runs of an environment is known by now, as a list of files has it: asked for alone, some clients tell the same in other words."""
        folder = f"{self.root}/{name}".rpartition("/")[0]
        listed = {info["name"].rpartition("/")[2]: info for info in self.client.ls(folder, detail=True)}
        return stamp_of(listed.get(name.rpartition("/")[2], {}))

    def holds(self, name: str, file: Path) -> bool:
        """Whether a file of the store has the content of a file here, which is small."""
        return bool(self.client.cat_file(f"{self.root}/{name}") == file.read_bytes())

    def remove(self, files: Sequence[str]) -> None:
        """Removes files of the store; those that are gone already are gone as they should be."""
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                self.client.rm_file(f"{self.root}/{name}")
            self.alive()

    def _callback(self) -> Any:
        from fsspec.callbacks import Callback

        alive = self.alive

        class Moves(Callback):  # type: ignore[misc]  # it has no types
            def call(self, *_: Any, **__: Any) -> None:
                alive()

            def branched(self, *_: Any, **__: Any) -> Any:
                return self

        return Moves()


def stamp_of(info: Info) -> str:
    """What a file of the store is known by: it is another where the content is, or was written anew."""
    marks = (
        info.get(name) for name in ("ETag", "etag", "md5Hash", "mtime", "modified", "LastModified", "created")
    )
    known = str(next((mark for mark in marks if mark), "")).strip('"')
    return f"{known}-{info.get('size')}"


def is_same(info: Info | None, path: Path) -> bool:
    """Whether the store says that a file has the content of this one; no where it does not say."""
    if info is None or not path.is_file():
        return info is None and not path.exists()
    if info.get("size") != path.stat().st_size:
        return False
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return found.hexdigest() == str(info.get("ETag")).strip('"') or base64.b64encode(
        found.digest()
    ).decode() == info.get("md5Hash")


def opened(address: str, *, here: Path, mode: int, alive: Callable[[], None]) -> Place:
    """The store of an address. Its secrets come from the variables of this process."""
    import fsspec

    kind, _, rest = address.partition("://")
    client = fsspec.filesystem(kind, use_listings_cache=False, skip_instance_cache=True, **PATIENT.get(kind, {}), **_telling(kind, alive))  # fmt: skip
    root = rest if kind == "file" else client._strip_protocol(address)
    return Place(client=client, root=root.rstrip("/"), here=here, mode=mode, alive=alive)


def _telling(kind: str, alive: Callable[[], None]) -> Mapping[str, Any]:
    """What has a client tell of each answer of the store: a list of a million names is a thousand of them, and fsspec gives it as one."""

    async def told(*_: Any) -> None:
        alive()

    if kind == "s3":
        from aiobotocore.session import AioSession

        session = AioSession()
        session.register("after-call.s3", lambda **_: alive())
        return {"session": session}
    if kind == "gs":
        import aiohttp

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(told)
        return {"session_kwargs": {"trace_configs": [trace]}}
    return {}


def why(error: BaseException, address: str) -> tuple[str, bool]:
    """What went wrong with a store in words, and whether it was known without asking it."""
    kind = address.partition("://")[0]
    if isinstance(error, ImportError):
        package, by = (
            (paths.STORES[kind], f"'proofbook[{kind}]'") if paths.STORES[kind] else ("fsspec", "fsspec")
        )
        return f"{address}: expected {package} to be installed, found it is not: pip install {by}", True
    name = type(error).__name__
    # Azure's client says it in words alone.
    if "Credential" in name or (kind == "abfs" and "with credentials" in str(error)):
        return f"{address}: expected credentials in the environment, such as {CREDENTIALS.get(kind, 'those of its client')}, found none that can be used", True  # fmt: skip
    # Addresses with what was asked for may hold a signature.
    said = re.sub(r"\?\S*", "?…", " ".join(str(error).split()))[:200].rstrip(".")
    # Azure's client, and Google's, say it by the status alone.
    status = getattr(error, "status_code", getattr(error, "code", None))
    if isinstance(error, PermissionError) or str(status) in ("401", "403"):
        return f"{address} refused: {said}", False
    if isinstance(error, FileNotFoundError):
        return f"there is no {address}: {said}", False
    if isinstance(error, TimeoutError | ConnectionError) or "Timeout" in name or "Connect" in name:
        return f"{address} does not answer: {said}", False
    return f"{address} could not be used: {name}: {said}", False
