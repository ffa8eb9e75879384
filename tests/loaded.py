"""Imported by the process that the commands of tests are copies of: what a notebook runner has loaded, and what a run does first and only once."""

from __future__ import annotations

import gc
import warnings

import nbformat

from proofbook.collect.logs import aggregates
from proofbook.execution import worker
from proofbook.report import notebook_part, templating

worker.load(*worker.LOADED, worker.STATISTICS)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    # The converter of notebooks compiles its templates, the lexer and the rules of what may stay.
    told = nbformat.v4.new_output("stream", text="1")
    cells = [
        nbformat.v4.new_markdown_cell("# A *title*\n\n- `code`"),
        nbformat.v4.new_code_cell("print(1)  # one", outputs=[told]),
    ]
    kernel = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    notebook_part._exporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells, metadata=kernel))  # fmt: skip
    for name in templating._environment().list_templates(extensions=["j2"]):
        if "/" not in name:
            templating._environment().get_template(name)
    # The compiler of queries loads its dialect.
    aggregates._compiled(aggregates._span)
# So that no copy looks through what is loaded here, and copies it by that.
gc.collect()
gc.freeze()
