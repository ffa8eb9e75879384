"""Tables that collectors of other packages write."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from proofbook.config.probes import COLLECTORS
from proofbook.errors import ExtensionError, SchemaError
from proofbook.evidence import schema
from proofbook.evidence.table import Table


def add_tables(kind: str) -> Sequence[Table]:
    """The tables of a collector, which are known from now on.

    Raises:
        ExtensionError: the collector cannot be used, or one of its tables cannot be added.
    """
    collector = COLLECTORS.get(kind)
    try:
        tables = list(collector.written())
        for table in tables:
            if not isinstance(table, Table):
                raise TypeError(f"expected a Table, got {type(table).__name__}")
        schema.add(tables)
    except SchemaError as error:
        raise COLLECTORS.failed(kind, str(error)) from error
    # Whatever the code of somebody else raises.
    except Exception as error:
        raise COLLECTORS.failed(
            kind, f"its tables cannot be used ({type(error).__name__}: {error})"
        ) from error
    return tables


def add_all() -> None:
    """Makes the tables of every usable collector known: for evidence that another process recorded."""
    for kind in COLLECTORS.names():
        with contextlib.suppress(ExtensionError):
            add_tables(kind)
