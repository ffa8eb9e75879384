"""Imported by the process that the commands of tests are copies of: what a notebook runner has loaded, and the converter of reports."""

from __future__ import annotations

import gc
import warnings

from proofbook.execution import worker
from proofbook.report import notebook_part

worker.load(*worker.LOADED, worker.STATISTICS)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    notebook_part._exporter()
# So that no copy looks through what is loaded here, and copies it by that.
gc.collect()
gc.freeze()
