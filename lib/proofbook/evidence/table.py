"""What a table of evidence is: its columns with type and unit, and how the rounds of a watch become one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import pandas as pd

from proofbook.errors import SchemaError

TIME = "datetime64[us, UTC]"
# When a column may be absent.
OLDER = "in older evidence"
# Names and texts; in pandas a dictionary each.
MAP = "map"
# By dtype: what pandas finds in values that may become it, and its types in a Parquet file.
_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
_VALUES = {
    "str": ("string",),
    "bool": ("boolean",),
    "boolean": ("boolean",),
    "int64": _NUMBERS,
    "Int64": _NUMBERS,
    "Int32": _NUMBERS,
    "UInt64": _NUMBERS,
    "float64": _NUMBERS,
    TIME: ("datetime64", "datetime"),
    MAP: ("mixed",),
}
_IN_FILES = {
    "str": ("string", "large_string"),
    "bool": ("bool",),
    "boolean": ("bool",),
    "int64": ("int64",),
    "Int64": ("int64",),
    "Int32": ("int32",),
    "UInt64": ("uint64",),
    "float64": ("double",),
    TIME: ("timestamp[us, tz=UTC]",),
    # Without a value pandas writes no map.
    MAP: ("map<string, string>", "null"),
}
DTYPES = tuple(_VALUES)
# These hold a value in every row.
_WHOLE = ("bool", "int64")


class Merge(Enum):
    """How the tables of several rounds of a watch become one. Those of other packages use one of the first three."""

    APPEND = "append"
    DISTINCT = "distinct"
    LATEST = "latest"
    LOG_LINES = "log lines"
    LOG_BUCKETS = "log buckets"
    LOG_TOTALS = "log totals"
    NOT_MERGED = "not merged"

    @property
    def is_alone(self) -> bool:
        """Whether a table is merged without looking at others."""
        return self.is_for_all or self is Merge.LOG_LINES

    @property
    def is_for_all(self) -> bool:
        """Whether a table of any columns may be merged so."""
        return self in (Merge.APPEND, Merge.DISTINCT, Merge.LATEST)

    @property
    def in_words(self) -> str:
        """What becomes of the rows."""
        return _IN_WORDS[self]


_IN_WORDS = {
    Merge.APPEND: "all rows, each with the number of its round",
    Merge.DISTINCT: "all rows, equal ones once",
    Merge.LATEST: "the table of the last round",
    Merge.LOG_LINES: "what several rounds read of the same lines once",
    Merge.LOG_BUCKETS: "each bucket from the latest round whose export holds it whole",
    Merge.LOG_TOTALS: "put together with the other tables of logs",
    Merge.NOT_MERGED: "rounds do not have it, or it is left out",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        dtype: one of DTYPES. meaning: what a value is, and what a missing one means. unit: of a number.
        optional: in which tables the column may be absent, in words; empty: in none.
        in_one_round: its values mean nothing beside those of another round, so a merged table goes without it.
        is_json: it holds JSON, and is redacted value by value: a secret's name in it, and what stands beside it, are none.
    """

    name: str
    dtype: str
    meaning: str
    unit: str = ""
    optional: str = ""
    in_one_round: bool = False
    is_json: bool = False


LOOK = Column("look", "int64", "number of the round", optional="outside a watch")


@dataclass(frozen=True)
class Table:
    """One table of evidence, and what may stand in it.

    Args:
        row: what one row is. columns: in the order in which they are written. merge: how rounds of a watch become one.

    Raises:
        SchemaError: a column is named twice, or has a type that evidence does not have.

    >>> lights = Table("lights", row="one look at a light", columns=(Column("on", "bool", "whether it was on"),))
    >>> list(lights.frame([{"on": True}]).columns)
    ['on']
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    merge: Merge = Merge.APPEND

    def __post_init__(self) -> None:
        names = [column.name for column in self.every_column]
        for column in self.columns:
            if names.count(column.name) > 1:
                raise SchemaError(
                    self.name, column.name, "it is named twice; give each column a name of its own"
                )
            if column.dtype not in DTYPES:
                why = f"expected one of the types {', '.join(DTYPES)}, got {column.dtype!r}"
                raise SchemaError(self.name, column.name, why)

    def __str__(self) -> str:
        return self.name

    @cached_property
    def every_column(self) -> tuple[Column, ...]:
        """The columns, and the one that a watch adds."""
        return (*self.columns, LOOK) if self.merge is Merge.APPEND else self.columns

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that no table of it may lack."""
        return tuple(column.name for column in self.columns if not column.optional)

    @cached_property
    def in_one_round(self) -> tuple[str, ...]:
        """The names of the columns that a merged table goes without."""
        return tuple(column.name for column in self.columns if column.in_one_round)

    def frame(self, rows: Sequence[Mapping[str, Any]] | Sequence[tuple[Any, ...]]) -> pd.DataFrame:
        """Rows as a table with the types of the schema, also when there are none.

        Args:
            rows: mappings by column, or tuples in the order of the columns.

        Raises:
            SchemaError: as `typed`.
        """
        named = bool(rows) and isinstance(rows[0], Mapping)
        return self.typed(
            pd.DataFrame(list(rows), columns=None if named else [column.name for column in self.columns])
        )

    def typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the columns and the types of the schema, in its order.

        Raises:
            SchemaError: a column is absent or unknown, or its values are not of its type.
        """
        self._check_names(list(table.columns))
        return self.cast(table)

    def cast(self, table: pd.DataFrame) -> pd.DataFrame:
        """The columns of the schema that a table has, with their types and in its order: for a table on its way.

        Raises:
            SchemaError: the values of a column are not of its type.
        """
        found = {
            column.name: self._cast(table[column.name], column)
            for column in self.every_column
            if column.name in table
        }
        return pd.DataFrame(found, index=table.index)

    def check_file(self, types: Mapping[str, str]) -> None:
        """Checks a Parquet file by the types of its columns.

        Raises:
            SchemaError: a column is absent, unknown or of another type.
        """
        self._check_names(list(types))
        for column in self.every_column:
            # Arrow names what a map holds by its column.
            kind = types.get(column.name, "").replace(f" ('{column.name}')", "")
            if kind and kind not in _IN_FILES[column.dtype]:
                raise SchemaError(
                    self.name, column.name, f"expected {column.dtype}, got {types[column.name]}"
                )

    def _check_names(self, names: Sequence[str]) -> None:
        known = [column.name for column in self.every_column]
        for name in self.required:
            if name not in names:
                raise SchemaError(
                    self.name, name, "the column is missing; whoever records the table must write it"
                )
        for name in names:
            if name not in known:
                why = f"the table has no such column; it has {', '.join(known)}"
                raise SchemaError(self.name, str(name), why)

    def _cast(self, values: Any, column: Column) -> Any:
        # pandas has no type for maps.
        dtype = "object" if column.dtype == MAP else column.dtype
        if str(values.dtype) == dtype:
            return values
        absent = int(values.isna().sum())
        if absent and column.dtype in _WHOLE:
            why = f"expected {column.dtype} in every row, got none in {absent} of {len(values)}"
            raise SchemaError(self.name, column.name, why)
        if absent == len(values):
            return pd.Series([None] * absent, index=values.index, dtype=dtype)
        got = pd.api.types.infer_dtype(values, skipna=True)
        if got not in _VALUES[column.dtype]:
            raise SchemaError(self.name, column.name, f"expected {column.dtype}, got {got}")
        try:
            cast = values.astype(dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise SchemaError(self.name, column.name, f"expected {column.dtype}: {error}") from None
        if column.dtype == "int64" and not (cast == values).all():
            raise SchemaError(self.name, column.name, "expected int64, got numbers that are not whole")
        return cast


def rows_of(table: Table) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, unit and meaning of each column, as the reference shows them."""
    for column in table.every_column:
        absent = f" (absent {column.optional})" if column.optional else ""
        yield column.name, column.dtype, column.unit, column.meaning + absent
