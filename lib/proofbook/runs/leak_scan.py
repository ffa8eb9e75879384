"""Leak scan: the last check that no file of a run holds a secret that this process knows."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
from pyarrow import ArrowInvalid, parquet

from proofbook.config.duckdb_text import quoted
from proofbook.errors import SecretFound
from proofbook.redaction import scrubbing


def leaks(folder: Path) -> list[Path]:
    """The files under `folder` in which a known secret stands, in any form in which it may be written down."""
    known = scrubbing.known_patterns()
    patterns = [re.compile(pattern.encode()) for pattern in known]

    def holds_one(path: Path) -> bool:
        if path.suffix == ".parquet":
            try:
                return _in_table(path, known)
            except (ArrowInvalid, duckdb.Error):
                # Cut by an interruption: what of it is there is text at best.
                pass
        content = path.read_bytes()
        return any(pattern.search(content) for pattern in patterns)

    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if holds_one(path)] if known else []


def check(folder: Path, *, rendered: tuple[str, ...]) -> None:
    """Takes back what was rendered if any file of the run holds a secret.

    Args:
        rendered: names of files in `folder` that are made from others and must not be sent then.
    Raises:
        SecretFound: a secret stands in a file; the sentence names the files, never the secret.
    """
    found = leaks(folder)
    if not found:
        return
    for name in rendered:
        (folder / name).unlink(missing_ok=True)
    names = ", ".join(str(path.relative_to(folder)) for path in found)
    raise SecretFound(
        f"a secret of the environment is in {names}, so the report was deleted. Find out what wrote it, add a pattern for it "
        f"to redact in the environment, delete {folder.name} and run again; rotate the secret"
    )


def _in_table(path: Path, patterns: list[str]) -> bool:
    """Whether a column of text of a Parquet file matches; read by the engine, since tables may be larger than memory."""
    texts = [
        field.name
        for field in parquet.read_schema(path)
        if str(field.type).startswith(("string", "large_string", "map<string"))
    ]
    if not texts:
        return False
    names = ['"' + name.replace('"', '""') + '"::VARCHAR' for name in texts]
    columns = " OR ".join(
        f"regexp_matches({name}, {quoted(pattern)})" for name in names for pattern in patterns
    )
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as engine:
        found = engine.execute(
            f"SELECT count(*) FROM read_parquet({quoted(str(path))}) WHERE {columns}"
        ).fetchone()
    return bool(found and found[0])
