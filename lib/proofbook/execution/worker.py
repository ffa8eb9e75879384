"""The notebook runner: a process that loads what notebooks need once, and executes each in a copy of itself.

Loading takes a second and a half, most of a small notebook's time, and a worker and a kernel would each do it again. It reads
orders from its standard input, one JSON object a line, and writes a line for each notebook that ended; see `executor`.

Copying is `fork`, in a process that has opened nothing and whose only other threads are those that NumPy and Arrow keep, which
both make anew in a copy. A Mac's own libraries do not survive it: there every worker and kernel is started from nothing.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from proofbook import paths
from proofbook.config import json_schema
from proofbook.errors import JUDGED_BY_RUN
from proofbook.execution import document, endings, loading, places, variables
from proofbook.execution.dispatch import Dispatcher, Ended, Message, Running, Work, cores
from proofbook.execution.saving import Saver
from proofbook.judge import groups
from proofbook.redaction.scrubbing import for_others

ENGINE = "proofbook"
# A chart over many points takes a few million; what is longer fits neither a notebook nor a report.
MOST_OUTPUT_CHARS = 20_000_000
CUT = f"\n(the output of this cell is cut here: it is longer than {MOST_OUTPUT_CHARS:,} characters)\n"
# What workers and kernels load anyway.
LOADED = (
    "papermill",
    "nbclient",
    "jupyter_client.provisioning",
    "ipykernel.kernelapp",
    "IPython",
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "proofbook.execution.shell",
    "pandas",
    "plotly.basedatatypes",
    "proofbook.notebook.book",
    "proofbook.notebook.figures",
    "proofbook.notebook.tables",
    "proofbook.notebook.report",
    "pyarrow.dataset",
    "duckdb",
    "multiprocessing.reduction",
    *(f"proofbook.judge.groups.{item.name}" for item in pkgutil.iter_modules(groups.__path__)),
)
# What only a comparison of before and after needs, and half a second to load.
STATISTICS = "scipy.stats"


def main(how: str, place: Path) -> None:
    """Serves orders until its standard input closes, or SIGTERM comes. place: for the sockets of its kernels; it is deleted at the end."""
    try:
        _serve(how, place)
    finally:
        # Whoever began this process deletes it too, unless it was killed.
        shutil.rmtree(place, ignore_errors=True)


def _serve(how: str, place: Path) -> None:
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _silence(1)
    # SystemExit, so that what runs is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    json_schema.skip_iri_grammar()
    endings.adopt_orphans()
    warm = how != "cold"
    if warm:
        warnings.filterwarnings("ignore", ".*multi-threaded.*fork")  # of any thread; see above for ours
        with loading.quickly():
            load(*LOADED, *([STATISTICS] if how == "warm" else []))
            # What is loaded stays, so that the copies need not look through it, and share its memory.
            gc.freeze()
    start = copy if warm else _anew
    while line := asked.readline():
        order = json.loads(line)
        for item in _executed(
            order, Dispatcher(start=start, place=str(place), jobs=order["jobs"] or cores()), asked
        ):
            answers.write(json.dumps(item.to_json()).encode() + b"\n")
            answers.flush()


def load_one(module: str) -> None:
    """Loads a module."""
    importlib.import_module(module)


def load(*modules: str) -> None:
    """Loads what copies of this process need, and does once what each of them would do first."""
    if "debugpy" not in sys.modules:
        # A kernel loads its debugger, a quarter of a second, whether or not somebody will ever attach one; here nobody can.
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # Python's own way to say that it cannot be imported
        with contextlib.suppress(ImportError):
            importlib.import_module("ipykernel.debugger")
        del sys.modules["debugpy"]
    for name in modules:
        load_one(name)
    import nbformat
    import plotly.io

    # The schema of notebooks is compiled on its first use.
    nbformat.validate(nbformat.v4.new_notebook())  # type: ignore[no-untyped-call]  # nbformat has no types
    renderers = plotly.io.renderers
    if "PLOTLY_RENDERER" not in os.environ:
        # What Plotly chooses in a kernel; here there is none to tell it.
        renderers.default = "plotly_mimetype"
    _show_something()


def _show_something() -> None:
    """Draws a chart and a table: the first of each loads the classes and defaults of all that it is made of."""
    import pandas
    from plotly import graph_objects

    numbers = pandas.Series([1.0])
    figure = graph_objects.Figure(
        [
            graph_objects.Scatter(x=pandas.to_datetime(["2026-01-01"]), y=numbers, marker={"size": 5}, line={"width": 1}, error_x={"value": 1}),
            graph_objects.Bar(x=numbers, y=["a"], marker={"color": "#000"}),
        ]
    )  # fmt: skip
    figure.update_layout(
        template="none", title={"text": "a", "font": {"size": 15}}, font={"size": 12}, legend={"x": 0}, margin={"t": 1},
        xaxis={"title": {"text": "a"}}, yaxis={"title": {"text": "a"}},
    )  # fmt: skip
    figure.add_shape(type="line", line={"width": 1})
    figure.add_annotation(text="a")
    figure.to_dict()
    table = pandas.DataFrame({"a": ["b"], "c": [1.0]})
    table.to_html()
    table.to_dict("records")


def _executed(order: Message, dispatcher: Dispatcher, asked: BinaryIO) -> Iterator[Ended]:
    """The outcome of each notebook of an order, in the order in which they ended."""
    dispatcher.add(order)
    try:
        while not dispatcher.idle:
            dispatcher.begin()
            yield from dispatcher.ended()
            if _parent_ended(asked):
                return
            time.sleep(0.02)
    finally:
        dispatcher.end()


def _parent_ended(asked: BinaryIO) -> bool:
    """Whether the parent process has ended."""
    poll = select.poll()
    poll.register(asked, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def copy(name: str, work: Work, *, private: Iterable[int] = ()) -> Running:
    """Begins to execute a notebook in a copy of this process. private: open files of this process that are not for notebooks."""
    said, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(said)
        for number in private:
            os.close(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            endings.end_with_parent(parent)
            variables.forget_the_first()
            from proofbook.execution import kernel, shell

            _set_apart()
            ours = shell.is_ours(Path(work.source))
            _work(work, tell=tell, provisioner="" if ours else kernel.wait_in_a_copy())
        finally:
            os._exit(1)
    os.close(tell)
    os.set_blocking(said, False)
    return Running(name=name, pid=pid, said=said)


def _anew(name: str, work: Work) -> Running:
    said, tell = os.pipe()
    os.set_inheritable(tell, True)
    words = [sys.executable, "-m", "proofbook.execution.worker", "one", str(tell)]
    # What it is to do comes by a pipe: an argument can be read by every user of the machine.
    read, write = os.pipe()
    os.set_inheritable(read, True)
    words.append(str(read))
    pid = os.posix_spawn(sys.executable, words, os.environ)
    os.close(tell)
    os.close(read)
    with os.fdopen(write, "w") as orders:
        json.dump(asdict(work), orders)
    os.set_blocking(said, False)
    return Running(name=name, pid=pid, said=said)


def _set_apart() -> None:
    """A session of its own, so that ending it ends all that a worker starts, and nothing to print to."""
    os.setsid()
    endings.adopt_orphans()
    _silence(0, 1, 2)


def _silence(*numbers: int) -> None:
    """Redirects file descriptors to the null device."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(null, number)
    os.close(null)


def _work(work: Work, *, tell: int, provisioner: str) -> None:
    """The worker: one notebook through Papermill; writes what went wrong, if anything did, and ends this process."""
    os.environ.update(work.variables)
    os.write(tell, _execute(work, provisioner=provisioner).encode()[:4096])
    os._exit(0)


def _execute(work: Work, *, provisioner: str) -> str:
    """Why a notebook did not reach its end, in words; empty where it did."""
    json_schema.skip_iri_grammar()
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    _set_up_papermill(work, provisioner=provisioner)
    try:
        # What it names is known to the redaction by now; the kernel gets what it needs.
        needed = _needed(work.parameters.get("environment", ""))
        for name in os.environ.keys() - variables.passed(os.environ, needed).keys():
            del os.environ[name]
        os.environ[JUDGED_BY_RUN] = "1"
        if not os.access(Path.home(), os.W_OK):
            # IPython would make a folder for each kernel that nobody deletes.
            os.environ.setdefault("IPYTHONDIR", str(places.inside(Path(work.place)) / "ipython"))
        papermill.execute_notebook(
            work.source,
            work.target,
            parameters=work.parameters,
            engine_name=ENGINE,
            progress_bar=False,
            cwd=str(Path.cwd()),
            **_kernel_of(Path(work.source)),
        )
    except PapermillExecutionError as error:
        return _in_one_line(f"code cell {error.exec_count or '?'} raised {error.ename}: {error.evalue}")
    except DeadKernelError:
        return "the kernel died"
    except Exception as error:
        return _in_one_line(f"could not be executed ({type(error).__name__}: {error})")
    return ""


def _needed(environment: str) -> list[str]:
    """The variables that an environment lists for its notebooks, its secrets known from now on; a notebook that asks of a log is given no environment."""
    from proofbook.config import environment as environments

    if not environment:
        return []
    base = paths.root()
    found = environments.load(environment, base=base)
    environments.keep_private(found, base=base)
    return found.pass_env


def _set_up_papermill(work: Work, *, provisioner: str) -> None:
    """Registers how this process executes and saves. provisioner: of kernels; empty where the notebook needs none."""
    from jupyter_client.provisioning.factory import KernelProvisionerFactory
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.iorw import LocalHandler, papermill_io

    from proofbook.files import replace_text

    class Whole(LocalHandler):  # type: ignore[misc]  # papermill has no types
        """Whoever reads the notebook sees it whole, also when its worker is ended while it writes."""

        def write(self, buf: str, path: str) -> None:
            replace_text(Path(path), buf)

    class Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            nb_man.save = Saver(nb_man, Path(work.target)).save
            if not provisioner:
                from proofbook.execution import shell

                home = places.inside(Path(work.place)) / "ipython"
                return shell.execute(nb_man, home=home, most_chars=MOST_OUTPUT_CHARS, cut=CUT)
            return _client(nb_man, kernel_name, places.inside(Path(work.place))).execute()

    papermill_engines.register(ENGINE, Engine)
    # A handler is found by how a path begins; this path is its alone.
    papermill_io.register(work.target, Whole())
    if provisioner:
        KernelProvisionerFactory.instance().default_provisioner_name = provisioner


def _in_one_line(text: str) -> str:
    return for_others(text.replace("\n", " "))


def _kernel_of(source: Path) -> dict[str, str]:
    """What Papermill must be told about a notebook that does not say which kernel it wants."""
    found = document.read(source)
    return {"kernel_name": found.kernel or "python3", "language": found.language or "python"}


def _client(nb_man: Any, kernel_name: str, folder: Path) -> Any:
    """Papermill's client, with the kernel on sockets in a folder of its own, where its key is too, instead of open TCP ports."""
    from papermill.clientwrap import PapermillNotebookClient

    said: dict[int, int] = {}

    class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
        def create_kernel_manager(self) -> Any:
            manager = super().create_kernel_manager()
            manager.transport = "ipc"
            manager.ip = f"{folder}/kernel"
            manager.connection_file = f"{folder}/kernel.json"
            return manager

        def output(self, outs: list[Any], msg: Message, display_id: str | None, cell_index: int) -> Any:
            size = len(json.dumps(msg["content"], default=str))
            before = said.get(cell_index, 0)
            said[cell_index] = before + size
            if before + size <= MOST_OUTPUT_CHARS:
                return super().output(outs, msg, display_id, cell_index)
            if before <= MOST_OUTPUT_CHARS:
                kind = {"msg_type": "stream"}
                told = {
                    **msg,
                    **kind,
                    "header": {**msg["header"], **kind},
                    "content": {"name": "stderr", "text": CUT},
                }
                return super().output(outs, told, None, cell_index)
            return None

    # How long a notebook may take is said once, for the whole of it, and starting its kernel is a part of that.
    return Client(
        nb_man, kernel_name=kernel_name, timeout=None, startup_timeout=3600, raise_on_iopub_timeout=False
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["one", tell, orders]:
            _set_apart()
            with os.fdopen(int(orders)) as told:
                ordered = Work(**json.load(told))
            _work(ordered, tell=int(tell), provisioner="local-provisioner")
        case [how, place]:
            main(how, Path(place))
