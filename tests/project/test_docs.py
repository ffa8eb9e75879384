"""What README, docs and notebooks say is so: links, commands, examples, generated pages, and the package's marker of types."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import re
import shlex
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from conftest import ROOT

import proofbook
from proofbook import paths
from proofbook.cli.commands import app
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.judge.findings import Verdict

DOCS = ROOT / "docs"
GENERATED = ("command-line.md", "environment-file.md", "case-file.md", "run-json.md", "checks.md", "tables.md", "notebook-api.md")  # fmt: skip
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
# Written by hand, and not notes of their time as decisions are.
WRITTEN = [
    path
    for path in PAGES
    if path.parent.name != "decisions"
    and path.name not in (*GENERATED, "reasons.md", "matrix.md", "abroad.md")
]
# What the other pages show is ours. Names in this one come from the packages that it writes, and its test installs and runs them.
OURS = [path for path in WRITTEN if path.name != "extending.md"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: language and text."""
    yield from re.findall(
        r"^```(\w*)\n(.*?)^```$", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


# Pages ------------------------------------------------------------------------------------------------------------


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, wanted = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if wanted:
            headings = re.findall(r"^#+ (.*)$", prose(there), flags=re.MULTILINE)
            assert wanted in [generator().anchor(heading) for heading in headings], target


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (DOCS / "README.md").read_text(encoding="utf-8")
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s]+)\)", contents)}  # fmt: skip
    for page in DOCS.rglob("*.md"):
        assert (
            page == DOCS / "README.md"
            or page.resolve() in linked
            or page.parent.resolve() in linked - {DOCS.resolve()}
        ), page


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_pages_use_the_words_of_the_glossary(page: Path) -> None:
    if page.name == "glossary.md":
        return
    ours = {"owed": "required", "shadow probe": "unmarked probe", "guards": "regression checks", "manners": "rate limit", "first look": "first round"}  # fmt: skip
    # Names in code are not words.
    text = re.sub(r"`[^`\n]*`", "", prose(page)).lower()
    assert [word for word in ours if re.search(rf"\b{word}", text)] == []


def test_the_glossary_says_each_word_once_in_one_or_two_sentences_and_knows_every_verdict() -> None:
    entries = re.findall(r"^\*\*(.+?)\.\*\* (.+)$", (DOCS / "glossary.md").read_text(encoding="utf-8"), flags=re.MULTILINE)  # fmt: skip
    words = [word.lower() for word, _ in entries]
    assert len(words) > 50 and words == sorted(set(words))
    assert {f"{verdict.value} (verdict)" for verdict in Verdict} <= set(words)
    assert all(text[0].isupper() and text.endswith(".") for _, text in entries)
    assert [word for word, text in entries if len(re.findall(r"\.(?= [A-Z“]|$)", text)) > 2] == []


# Commands and examples --------------------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[list[str]]:
    """Every `proofbook …` that a page shows, as its words."""
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    lines = [line for language, text in blocks(page) if language != "python" for line in text.splitlines()]
    for shown in [*spans, *lines]:
        found = re.search(r"(?:^|[ /])proofbook (?!proofbook)(?:-v+ )?([a-z].*)$", shown)
        if found is not None and not shown.startswith("#"):
            words = shlex.split(found[1], comments=True)
            ends = [number for number, word in enumerate(words) if word[0] in ">&|"]
            yield words[: ends[0] if ends else None]


def problem_of(words: list[str]) -> str:
    """Why the command line would refuse these words; empty where it would not."""
    group: Any = typer.main.get_command(app)
    if words[0] not in group.commands:
        return f"no command {words[0]}"
    try:
        group.commands[words[0]].make_context(words[0], words[1:])
    except typer.Exit:
        return ""
    except Exception as error:
        return str(getattr(error, "message", error)) or type(error).__name__
    return ""


@pytest.mark.parametrize("page", OURS, ids=name_of)
def test_every_command_of_a_page_is_one_that_the_command_line_takes(page: Path) -> None:
    for words in commands(page):
        # In a sentence a command may stand by its name alone.
        if len(words) > 1 or problem_of(words).startswith("no command"):
            assert problem_of(words) == "", words


def test_a_command_that_does_not_exist_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Type `proofbook tri URL`.\n\n```\n$ proofbook try URL --before X\nproofbook accept RUN F --by me --until soon --why x\n```\n"
    )
    assert [bool(problem_of(words)) for words in commands(page)] == [True, True, True]
    assert [problem_of(words) for words in (["run", "staging"], ["report", "RUN", "--mail"])] == ["", ""]


def test_pages_show_commands_at_all() -> None:
    assert sum(len(list(commands(page))) for page in WRITTEN) > 50


def make_targets() -> list[str]:
    """Every target that a page tells one to make."""
    spans = [span for page in WRITTEN for span in re.findall(r"`([^`\n]+)`", prose(page))]
    lines = [line for page in WRITTEN for _, text in blocks(page) for line in text.splitlines()]
    found = (re.match(r"make (?:[A-Z]+=\S+ )?([a-z-]+)", shown) for shown in [*spans, *lines])
    return sorted({target[1] for target in found if target})


@pytest.mark.parametrize("target", make_targets())
def test_every_make_target_of_a_page_exists(target: str, request: pytest.FixtureRequest) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


TOML = [(page, text) for page in OURS for language, text in blocks(page) if language == "toml"]


@pytest.mark.parametrize(("page", "text"), TOML, ids=[f"{page.stem}-{number}" for number, (page, _) in enumerate(TOML)])  # fmt: skip
def test_every_example_of_a_file_is_one_that_can_be_used(page: Path, text: str) -> None:
    stated = tomllib.loads(text)
    of_environment = {field.alias or name for name, field in Environment.model_fields.items()}
    if set(stated) <= of_environment:
        # A part of a file is tried in the smallest whole one.
        whole = {} if stated.keys() & {"service", "log"} else {"service": [{"name": "backend", "url": "https://backend.example.com"}]}  # fmt: skip
        Environment.model_validate(stated | whole)
    else:
        Case.model_validate({"title": "A case"} | stated)


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_python_of_a_page_names_what_exists(page: Path) -> None:
    homes = {"pb": proofbook, "book": proofbook.Book}
    for language, text in blocks(page):
        for node in ast.walk(ast.parse(text)) if language == "python" else ():
            match node:
                case ast.Attribute(value=ast.Name(id=("pb" | "book") as home), attr=name):
                    assert hasattr(homes[home], name), name


# Generated pages --------------------------------------------------------------------------------------------------


@functools.cache
def generator() -> ModuleType:
    """The script that writes the generated pages."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_those_of_the_code() -> None:
    pages = generator().pages()
    assert sorted(pages) == sorted(GENERATED)
    for name, text in pages.items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text, (
            f"{name}: write it again: python docs/generate.py"
        )


def test_every_key_of_a_file_has_its_meaning_and_every_meaning_a_key() -> None:
    found = generator()
    said = {(model, key) for model, keys in found.meanings().items() for key in keys if key[0] != "_"}
    there = set()
    for kind, root in (("environment", "Environment"), ("case", "Case"), ("run", "RunFile")):
        schema = json.loads((DOCS / f"{kind}.schema.json").read_text(encoding="utf-8"))
        models = {root: schema, **schema["$defs"]}
        there |= {(model, key) for model, text in models.items() for key in text.get("properties", {})}
    # Not of the file: its own name and folder. And the short form of a WebSocket has the keys of the long one.
    there -= {("Environment", "name"), ("Case", "name"), ("Case", "folder")}
    there = {(model, key) for model, key in there if model != "Socket"}
    assert said == there, "say it in docs/reference/keys.toml"


def test_every_check_has_its_condition_and_every_condition_a_check() -> None:
    found = generator()
    assert set(found.conditions()) == set(found.declared()), "say it in docs/reference/checks.toml"


# Notebooks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_heading_of_a_notebook_has_a_sentence(path: Path) -> None:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            heading, *text = "".join(cell["source"]).splitlines()
            if heading.startswith("# ") and path.stem.startswith("00-"):
                continue  # the verdict follows at once
            assert heading.startswith("#") and "".join(text).strip().endswith("."), heading


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_sentence_before_each_check_says_what_would_make_it_fail(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    section = ""
    checked = False
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            section, checked = source, False
        elif "book.check(" in source:
            assert not checked, f"a second check under: {section}"
            assert re.search(r"^(Fails if|Cannot pass if) ", section, flags=re.MULTILINE), source
            checked = True


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_explains_the_parameters_of_a_notebook(path: Path) -> None:
    from papermill.inspection import _infer_parameters as parameters_with_help
    from papermill.iorw import load_notebook_node

    told = parameters_with_help(load_notebook_node(str(path)))
    asks = ["source", "before", "since", "until", "where"]
    assert [item.name for item in told] == (
        asks if path.stem in paths.LOOKING else ["environment", "case", "evidence"]
    )
    assert all(len(item.help.split()) > 3 for item in told)


# The package ------------------------------------------------------------------------------------------------------


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(str(proofbook.__file__)).parent / "py.typed").is_file()


@pytest.mark.extended
@pytest.mark.long
def test_the_wheel_says_so_too(wheel: Path) -> None:
    assert "proofbook/py.typed" in zipfile.ZipFile(wheel).namelist()


# Names of modules -------------------------------------------------------------------------------------------------

LIB = ROOT / "lib" / "proofbook"
PACKAGES = sorted(path.name for path in LIB.iterdir() if (path / "__init__.py").exists())
TEXTS = [*PAGES, *sorted(LIB.rglob("*.py")), *NOTEBOOKS]


def modules_named(text: str) -> Iterator[str]:
    """Every dotted name below `proofbook`, and every `package/module` in backquotes, as it is written."""
    yield from re.findall(r"\bproofbook(?:\.[a-z_]+)+", text)
    yield from re.findall(rf"`((?:{'|'.join(PACKAGES)})/[a-z_/]+(?:\.py)?)`", text)


def is_there(name: str) -> bool:
    """Whether a name means a module, a package, a folder or something in one of them."""
    parts = name.removesuffix(".py").replace("/", ".").removeprefix("proofbook.").split(".")
    for end in (len(parts), len(parts) - 1):
        place = LIB.joinpath(*parts[:end])
        module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        rest = parts[end:]
        if module.exists() and (not rest or re.search(rf"\b{rest[0]}\b", module.read_text(encoding="utf-8"))):
            return True
    return False


# Groups of entry points, and names of loggers, packages and kinds of data.
NO_MODULES = re.compile(r"proofbook\.(collectors|checks|log_sources|log_formats|report_sections|websocket_dialects|finding|section|answer)$|proofbook\.(toml|skip|prom)")  # fmt: skip


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_module_that_a_text_names_is_where_the_text_says(path: Path) -> None:
    found = modules_named(path.read_text(encoding="utf-8"))
    assert [name for name in found if not NO_MODULES.match(name) and not is_there(name)] == []
