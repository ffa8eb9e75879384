"""The recorded tables: one Parquet file each, and a manifest that says what, when, from where, and with which digest."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import parquet
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from proofbook import paths
from proofbook.errors import EvidenceError
from proofbook.evidence import log_tables, schema
from proofbook.files import digest, read_text, replace_text
from proofbook.redaction.scrubbing import scrub, scrub_json

SCHEMA_VERSION = 3
PHASES = ("before", "rollout", "after")
# What was read of the logs when somebody looked, without a probe.
LOOK = "look"
MANIFEST = paths.MANIFEST
# From so many on, threads read a table sooner.
MANY_ROWS = 100_000
_TABLE_NAME = re.compile(r"\w[\w-]*")
# What stands for a value in the text of a message, and the metric that says when a process began: written by collectors, known to judges.
MASK = "<*>"
STARTED = "process_start_time_seconds"


class Table(BaseModel):
    """One recorded table."""

    model_config = ConfigDict(extra="forbid")

    columns: dict[str, str]
    rows: int
    sha256: str


class Taken(BaseModel):
    """The earlier run from which a phase was taken.

    phase: what it was called there. differs: the settings of asking that have another value now; None: not known.
    """

    model_config = ConfigDict(extra="forbid")

    run: str
    phase: str
    differs: tuple[str, ...] | None = None


class Phase(BaseModel):
    """One recorded phase.

    alongside: of before, recorded where the old revision still answered, after the deployment. taken: of before, from an earlier run.
    """

    model_config = ConfigDict(extra="forbid")

    started: dt.datetime
    ended: dt.datetime
    planned: list[str] = Field(default_factory=list)
    done: dict[str, int] = Field(default_factory=dict)
    problems: list[str] = Field(default_factory=list)
    alongside: bool = False
    taken: Taken | None = None
    tables: dict[str, Table] = Field(default_factory=dict)


class Manifest(BaseModel):
    """`manifest.json`."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA_VERSION
    environment: str
    phases: dict[str, Phase] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_names(self) -> Manifest:
        """They become parts of paths, and evidence may come from anywhere."""
        for phase, recorded in self.phases.items():
            if phase not in (*PHASES, LOOK) or not all(map(_TABLE_NAME.fullmatch, recorded.tables)):
                raise ValueError(
                    f"expected phases {', '.join((*PHASES, LOOK))} with tables of names like theirs"
                )
        return self


class Evidence:
    """A folder of evidence, read lazily."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._tables: dict[tuple[str, str], pd.DataFrame] = {}

    def table(self, name: str, phase: str = "after") -> pd.DataFrame | None:
        """A table, or None when that phase did not record it.

        Raises:
            EvidenceError: its file is gone, altered, or unreadable.
        """
        key = (phase, name)
        if key not in self._tables:
            recorded = self.manifest.phases.get(phase)
            if recorded is None or name not in recorded.tables:
                return None
            path = self.folder / phase / f"{name}.parquet"
            problem = _difference(path, recorded.tables[name])
            if problem:
                raise EvidenceError(f"{paths.shown(path)}: {problem}")
            table = _read(path)
            self._tables[key] = _entries(table) if name == log_tables.LOGS.name else table
        return self._tables[key]

    def file(self, name: str, phase: str = "after") -> Path | None:
        """The Parquet file of a table that is too large to be one in memory, or None."""
        recorded = self.manifest.phases.get(phase)
        return self.folder / phase / f"{name}.parquet" if recorded and name in recorded.tables else None

    def digests(self) -> dict[str, str]:
        """`<phase>/<table>` to the sha256 of every recorded table."""
        return {
            f"{phase}/{name}": table.sha256
            for phase, recorded in self.manifest.phases.items()
            for name, table in recorded.tables.items()
        }

    def window(self, phase: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """When a phase was recorded."""
        recorded = self.manifest.phases.get(phase)
        return (pd.Timestamp(recorded.started), pd.Timestamp(recorded.ended)) if recorded else None

    def altered(self) -> list[str]:
        """One sentence for every file that is not what was recorded."""
        found = []
        for phase, recorded in self.manifest.phases.items():
            for name, table in recorded.tables.items():
                path = self.folder / phase / f"{name}.parquet"
                problem = _difference(path, table)
                if problem:
                    found.append(f"{paths.shown(path)}: {problem}")
        return found


def read(folder: Path) -> Evidence:
    """The evidence in `folder`.

    Raises:
        EvidenceError: there is no manifest, or it is of another version.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(read_text(path))
    except OSError:
        raise EvidenceError(
            f"expected evidence with a {MANIFEST} in {paths.shown(folder)}, found none; record some: proofbook collect ENV --phase after"
        ) from None
    except (ValidationError, UnicodeDecodeError):
        raise EvidenceError(
            f"{paths.shown(path)}: expected a manifest of schema version {SCHEMA_VERSION}, got something else; it was altered or another version wrote it"
        ) from None
    if manifest.schema_version != SCHEMA_VERSION:
        raise EvidenceError(
            f"{paths.shown(path)}: expected schema version {SCHEMA_VERSION}, got {manifest.schema_version}; record the evidence again"
        )
    return Evidence(folder, manifest)


def write_phase(
    folder: Path, *, environment: str, phase: str, tables: Mapping[str, pd.DataFrame | Path], recorded: Phase
) -> None:
    """Writes a phase's tables, then the manifest in one step: a phase is there whole or not at all.

    A path is a Parquet file, written and scrubbed already, that is moved into its place.

    Raises:
        SchemaError: a table is not what its schema says; nothing was written.
    """
    checked = {name: schema.checked(name, table) for name, table in tables.items()}
    place = folder / phase
    place.mkdir(parents=True, exist_ok=True)
    for name, table in checked.items():
        path = place / f"{name}.parquet"
        if isinstance(table, Path):
            table.replace(path)
            kept = parquet.read_metadata(path)
            columns = {field.name: str(field.type) for field in parquet.read_schema(path)}
            rows = int(kept.num_rows)
        else:
            _scrubbed(table, name).to_parquet(path, index=False)
            columns = {str(column): str(kind) for column, kind in table.dtypes.items()}
            rows = len(table)
        recorded.tables[name] = Table(columns=columns, rows=rows, sha256=digest(path))
    _enter(folder, environment=environment, phase=phase, recorded=recorded)


def copy(source: Path, folder: Path) -> None:
    """Copies a folder of evidence, with the permissions of new files.

    Raises:
        EvidenceError: something in it is neither a file nor a folder: a symlink would bring in what it points to.
    """
    found = (source, *sorted(source.rglob("*")))
    for path in found:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise EvidenceError(
                f"{paths.shown(path)}: expected evidence to be files and folders, got a {'symlink' if path.is_symlink() else 'device or pipe'}; nothing was copied"
            )
    # Under another name until it is whole: whoever is killed meanwhile leaves nothing that looks like evidence.
    aside = folder.with_name(f".{folder.name}.copy")
    shutil.rmtree(aside, ignore_errors=True)
    for path in found:
        target = aside / path.relative_to(source)
        if path.is_dir():
            target.mkdir(parents=True)
        else:
            shutil.copyfile(path, target, follow_symlinks=False)
    aside.rename(folder)


def copy_phase(source: Path, folder: Path, *, environment: str, phase: str, recorded: Phase) -> None:
    """Copies the tables of a recorded phase, as they are, into other evidence under another name."""
    place = folder / phase
    place.mkdir(parents=True, exist_ok=True)
    for name in recorded.tables:
        shutil.copyfile(source / f"{name}.parquet", place / f"{name}.parquet")
    _enter(folder, environment=environment, phase=phase, recorded=recorded)


def _enter(folder: Path, *, environment: str, phase: str, recorded: Phase) -> None:
    manifest = read(folder).manifest if (folder / MANIFEST).exists() else Manifest(environment=environment)
    manifest.phases[phase] = recorded
    # What is not there is left out, as in manifests from before it could be.
    content = manifest.model_dump(mode="json", exclude_none=True)
    replace_text(folder / MANIFEST, json.dumps(content, indent=2) + "\n")


def _entries(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that are entries; where a row is a line, its number is the line's."""
    lines = table["line"].fillna(pd.Series(range(1, len(table) + 1), index=table.index)).astype("int64")
    return table.assign(line=lines)[table["timestamp"].notna()].reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    """The table of a file; one of few rows without the threads that a copy of this process would first have to start."""
    with parquet.ParquetFile(path) as file:
        many = file.metadata.num_rows > MANY_ROWS
        table: pd.DataFrame = file.read(use_threads=many).to_pandas(use_threads=many)
        return table


def _difference(path: Path, recorded: Table) -> str:
    if path.is_symlink():
        return "recorded as a file, and is a symlink now"
    try:
        found = digest(path)
    except OSError:
        return "recorded, but the file is gone"
    return (
        ""
        if found == recorded.sha256
        else f"was altered after it was recorded (sha256 {found[:12]}…, recorded {recorded.sha256[:12]}…)"
    )


def _scrubbed(table: pd.DataFrame, own: str) -> pd.DataFrame:
    """The last gate before disk: no text column keeps a secret."""
    texts = [
        name
        for name in table.columns
        if pd.api.types.is_string_dtype(table[name].dtype) or table[name].dtype == object
    ]
    as_json = {column.name for column in schema.known(own).columns if column.is_json}
    found = {name: _scrubbed_column(table[name], scrub_json if name in as_json else scrub) for name in texts}
    return table.assign(**found) if texts else table


def _scrubbed_column(column: pd.Series[Any], change: Callable[[str], str]) -> pd.Series[Any]:
    """The column, each text of it looked at once: most stand in many rows, and hardly any holds a secret."""
    values = column.tolist()
    texts = {value for value in values if isinstance(value, str)}
    changed = {text: clean for text in texts if (clean := change(text)) != text}
    if not changed:
        return column
    return pd.Series([changed.get(value, value) if isinstance(value, str) else value for value in values], index=column.index, dtype=column.dtype)  # fmt: skip
