"""Tables for notebooks: figures as people read them."""

from __future__ import annotations

import pandas as pd

from proofbook.evidence.schema import REVISIONS
from proofbook.notebook import tables


def test_sizes_of_revisions_are_whole_numbers_of_a_named_unit_and_what_is_not_stated_is_empty() -> None:
    made = pd.Timestamp("2026-01-05T09:40:12.811Z")
    shown = tables.revisions(
        REVISIONS.frame([("api-1", made, 1.85e9, 2.0**31), ("api-2", pd.NaT, float("nan"), float("nan"))])
    )
    assert shown.to_dict("list") == {
        "revision": ["api-1", "api-2"],
        "created": ["2026-01-05 09:40:12 UTC", ""],
        "image (MB)": ["1,850", ""],
        "memory limit (MiB)": ["2,048", ""],
    }


def test_a_phase_without_revisions_gives_an_empty_table() -> None:
    assert tables.revisions(pd.DataFrame()).empty
