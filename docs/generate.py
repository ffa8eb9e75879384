"""Writes the generated pages of docs/reference from the code: `python docs/generate.py`. `pages` gives them by name."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel

import proofbook
from proofbook.cli.commands import app
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.evidence import schema as tables_of_evidence
from proofbook.judge import catalogue
from proofbook.judge.registry import group_titles
from proofbook.runs import record

FOLDER = Path(__file__).parent / "reference"
NOTE = "This page is generated: `python docs/generate.py`."
Defs = dict[str, Any]

# What the command line library calls a value, and what it is.
VALUES = {
    "str": "text",
    "list[str]": "text",
    "int range": "integer",
    "float range": "number",
    "%Y-%m-%d": "YYYY-MM-DD",
}


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {
        "command-line.md": command_line(),
        "environment-file.md": environment_file(),
        "case-file.md": case_file(),
        "run-json.md": run_json(),
        "checks.md": checks(),
        "tables.md": tables_of_evidence.as_markdown(),
        "notebook-api.md": notebook_api(),
    }


def meanings() -> dict[str, dict[str, str]]:
    """What each key means, by model and key; `_heading` and `_about` of a model are for its section."""
    return tomllib.loads((FOLDER / "keys.toml").read_text(encoding="utf-8"))


def conditions() -> dict[str, str]:
    """When each check is declared, by its id."""
    found: dict[str, str] = _checks_toml()["conditions"]
    return found


def _checks_toml() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "checks.toml").read_text(encoding="utf-8"))


# Command line ---------------------------------------------------------------------------------------------------


def command_line() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    parts = [
        "# Commands",
        NOTE,
        f"`proofbook COMMAND --help` shows the same. {group.help}",
        "Exit codes: 0 pass, 1 fail, 2 the command or a file is wrong, 3 inconclusive, 4 error, 5 no finished run in time (`due`), 75 another process is there, 130 interrupted. They are the same if nobody reads what is printed, as in `proofbook explain ENV | head`.",
        "`ENV` and `CASE` are names or paths of TOML files. `RUN` is the id of a run, or its folder.",
        table(
            ("command", "does"),
            ([f"[`{name}`](#proofbook-{name})", first_sentence(command.help)] for name, command in group.commands.items()),
        ),
    ]  # fmt: skip
    common = [item for item in group.params if item.name != "help"]
    parts += [
        "Options of all commands, before the name of the command, such as `proofbook -v run ENV`:",
        table(("option", "meaning"), ([_flags(item), str(item.help)] for item in common)),
    ]
    for name, command in group.commands.items():
        parts += list(_command(name, command))
    return joined(parts)


def _command(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=f"proofbook {name}")
    yield f"## proofbook {name}"
    yield inspect.cleandoc(command.help or "")
    yield f"```\n{' '.join(['proofbook', name, *command.collect_usage_pieces(context)])}\n```"
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option"]
    if arguments:
        yield table(
            ("argument", "meaning"), ([f"`{_metavar(item, context)}`", _help(item)] for item in arguments)
        )
    if options:
        yield table(("option", "value", "meaning"), ([_flags(item), _value(item, context), _help(item)] for item in options))  # fmt: skip


def _metavar(item: Any, context: Any) -> str:
    return (item.metavar or item.name.upper()).strip("[]")


def _flags(item: Any) -> str:
    return ", ".join(f"`{flag}`" for flag in [*item.opts, *item.secondary_opts])


def _value(item: Any, context: Any) -> str:
    if item.is_flag:
        return ""
    shown = item.display_type(context).strip("<>")
    value = f"`{item.metavar or VALUES.get(shown, shown)}`"
    return cell(value) + (", may be repeated" if item.multiple else "")


def _help(item: Any) -> str:
    words = str(item.help or "A run: its id or its folder.")
    if item.required:
        return words + (" Required." if item.param_type_name == "option" else "")
    if item.default in (None, "", ()) or isinstance(item.default, bool):
        return words
    return f"{words} Default: {item.default:g}." if isinstance(item.default, float) else f"{words} Default: {item.default}."  # fmt: skip


# Files ------------------------------------------------------------------------------------------------------------


def environment_file() -> str:
    """Every key of an environment file."""
    schema = Environment.schema_of_files()
    intro = "An environment file says where a system is and how to probe it. Unknown keys are refused. Example: `notebooks/environments/staging.example.toml`. For editors: [JSON Schema](../environment.schema.json)."
    skipped = {name for name, field in Environment.model_fields.items() if field.exclude}
    return _file("Environment file", intro, schema, models_of(Environment), "Environment", skipped)


def case_file() -> str:
    """Every key of a case file."""
    schema = Case.schema_of_files()
    intro = "A case file says what is claimed. Unknown keys are refused. Example: `notebooks/cases/ssot-fixes.toml`. For editors: [JSON Schema](../case.schema.json)."
    skipped = {name for name, field in Case.model_fields.items() if field.exclude}
    return _file("Case file", intro, schema, models_of(Case), "Case", skipped)


def run_json() -> str:
    """Every field of run.json."""
    intro = "`run.json` holds a run for other programs. Times are RFC 3339 in UTC. For programs: [JSON Schema](../run.schema.json), also by `proofbook schema`."
    return _file("run.json", intro, record.schema(), {}, "RunFile", set())


def _file(title: str, intro: str, schema: Defs, homes: dict[str, Any], root: str, skipped: set[str]) -> str:
    models = {root: schema, **schema["$defs"]}
    parts = [f"# {title}", NOTE, intro]
    for model, said in meanings().items():
        if model not in models:
            continue
        rows = [
            [
                f"`{key}`",
                kind(item, models, shows_null=root == "RunFile"),
                default(key, item, models[model], homes.get(model)),
                sentence(said.get(key, "")),
            ]
            for key, item in models[model]["properties"].items()
            if not (model == root and key in skipped)
        ]
        parts += [
            f"## {said['_heading']}",
            said.get("_about", ""),
            table(("key", "type", "default", "meaning"), rows),
        ]
    return joined(part for part in parts if part)


def models_of(root: Any) -> dict[str, Any]:
    """A model and all that its keys can be, by name."""
    found: dict[str, Any] = {}
    waiting = [root]
    while waiting:
        item = waiting.pop()
        waiting += get_args(item)
        if inspect.isclass(item) and issubclass(item, BaseModel) and item.__name__ not in found:
            found[item.__name__] = item
            waiting += [field.annotation for field in item.model_fields.values()]
    return found


def kind(item: Defs, models: Defs, *, shows_null: bool = False) -> str:
    """The type of a key in words, from its JSON Schema; other tables as links to their section."""

    def inside(other: Defs) -> str:
        return kind(other, models, shows_null=shows_null)

    match item:
        case {"$ref": ref}:
            model = str(ref).rpartition("/")[2]
            return _link(model) if "properties" in models[model] else inside(models[model])
        case {"anyOf": options}:
            kinds = dict.fromkeys(map(inside, options))
            # TOML has no null: there, it only says that a key may be left out.
            return " or ".join(word for word in kinds if word != "null" or shows_null)
        case {"enum": values}:
            return "one of " + ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"type": "array", "items": {"type": _} | {"$ref": _} | {"anyOf": _} as inner}:
            return f"array of {inside(inner)}"
        case {"type": "array"}:
            return "array"
        case {"type": "object", "additionalProperties": {"type": _} | {"$ref": _} | {"anyOf": _} as inner}:
            return f"table of {inside(inner)}"
        case {"type": "object"}:
            return "table"
        case {"type": "string", "format": "date-time"}:
            return "date and time with zone"
        case {"type": "string", "format": "date"}:
            return "date"
        case {"type": "string", "pattern": pattern}:
            return f"string `{cell(pattern)}`"
        case {"type": "number" | "integer" as number}:
            return str(number) + _range(item)
        case {"type": "boolean" | "string" | "null" as simple}:
            return str(simple)
    return "any"


def _range(item: Defs) -> str:
    signs = (("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤"))
    limits = [f"{sign} {item[name]:g}" for name, sign in signs if name in item]
    return f" {', '.join(limits)}" if limits else ""


def _link(model: str) -> str:
    # The short form of a WebSocket has the keys of the long one.
    heading = meanings()["WebSocket" if model == "Socket" else model]["_heading"]
    return f"[{heading}](#{anchor(heading)})"


def default(key: str, item: Defs, found: Defs, model: Any) -> str:
    """The default of a key: required, nothing, or its value as TOML. `model` knows those that are made, such as lists."""
    if key in found.get("required", []):
        return "required"
    fields = getattr(model, "model_fields", {})
    stated = next((field for name, field in fields.items() if key in (name, field.alias)), None)
    value = item.get("default", stated and stated.get_default(call_default_factory=True))
    if value in (None, "", {}, []) or isinstance(value, BaseModel):
        return ""
    words = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)  # fmt: skip
    return f"`{words}`"


# Checks ----------------------------------------------------------------------------------------------------------

# Of the example in checks.toml, where each is called `the-…`.
_NAMES = ("service", "endpoint", "log", "path", "symptom", "user", "indicator", "message")


def declared() -> dict[str, Any]:
    """Every kind of check that an environment and a case can declare, by its id with names in capitals."""
    example = _checks_toml()
    environment = Environment.model_validate(example["environment"])
    # Where the message schema of the example is.
    folder = Path(__file__).parents[1] / "notebooks" / "cases"
    case = Case.model_validate(example["case"]).model_copy(update={"folder": folder}).with_schemas()
    return {_in_capitals(name): check for name, check in catalogue.declare(environment, case).items()}


def checks() -> str:
    """Every kind of check with its kind, its weight and its condition."""
    when, found = conditions(), declared()
    parts = [
        "# Checks",
        NOTE,
        "An environment and a case declare the checks of a run: `proofbook check ENV CASE` lists them. Names in capitals stand for those of the two files. With several endpoints or logs, the ids of their checks end with their name.",
        "A *fix claim* says that a symptom is gone, a *regression check* that something holds. A *required* check blocks the verdict when it is inconclusive, an *optional* one does not; `[checks.ID] required` in the case changes that. The table shows the default for a critical service. See [how claims are judged](../explanation/how-claims-are-judged.md).",
    ]
    for group in dict.fromkeys(check.group for check in found.values()):
        rows = [
            [
                f"`{name}`",
                "fix claim" if check.kind == "fix" else "regression check",
                "required" if check.required else "optional",
                cell(_in_capitals(check.claim)),
                cell(when.get(name, "")),
            ]
            for name, check in found.items()
            if check.group == group
        ]
        parts += [
            f"## {group_titles().get(group, group)}",
            table(("check", "kind", "default", "claim", "declared if"), rows),
        ]
    return joined(parts)


def _in_capitals(text: str) -> str:
    for name in _NAMES:
        text = re.sub(
            rf"/?the-{name}\b", lambda found, name=name: found[0].replace(f"the-{name}", name.upper()), text
        )
    return text


# Notebooks -------------------------------------------------------------------------------------------------------


def notebook_api() -> str:
    """Every public name, the methods of a book and a look, and the tables and charts."""
    parts = ["# Notebook API", NOTE, "`import proofbook as pb`"]
    functions = [name for name in proofbook.__all__ if inspect.isfunction(getattr(proofbook, name))]
    for name in functions:
        parts += [f"## pb.{name}", *_documented(f"pb.{name}", getattr(proofbook, name))]
    for name, title, home, words in (
        ("book", "Book", proofbook.Book, "What `pb.open` gives."),
        ("look", "Look", proofbook.Look, "What `pb.look` gives. A selection is a look too. Shown by itself it says what was read, what went wrong, and how that lies over time."),
    ):  # fmt: skip
        parts += [f"## {title}", words]
        for own, method in _public(home):
            parts += [f"### {name}.{own}", *_documented(f"{name}.{own}", method)]
    for name, words in (("tables", "Small tables to show."), ("figures", "Plotly charts.")):
        module = getattr(proofbook, name)
        rows = [
            [f"`pb.{name}.{own}{_signature(item)}`", cell(first_sentence(inspect.getdoc(item) or ""))]
            for own, item in _public(module)
        ]
        parts += [f"## pb.{name}", words, table(("function", "gives"), rows)]
    return joined(parts)


def _public(home: Any) -> list[tuple[str, Callable[..., Any]]]:
    """The public functions that a module or a class defines itself, in the order of its source."""
    module = home.__module__ if inspect.isclass(home) else home.__name__
    return [
        (name, item)
        for name, item in vars(home).items()
        if inspect.isfunction(item) and item.__module__ == module and not name.startswith("_")
    ]


def _signature(item: Callable[..., Any]) -> str:
    signature = inspect.signature(item)
    own = [
        value.replace(annotation=inspect.Parameter.empty)
        for name, value in signature.parameters.items()
        if name != "self"
    ]
    return str(signature.replace(parameters=own, return_annotation=inspect.Signature.empty))


def _documented(name: str, item: Callable[..., Any]) -> list[str]:
    return [f"```\n{name}{_signature(item)}\n```", as_markdown(inspect.getdoc(item) or "")]


def as_markdown(docstring: str) -> str:
    """A docstring as Markdown: its sections as lists."""
    lines: list[str] = []
    for line in docstring.splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Source):.*", line):
            lines += ["", f"*{line.partition(':')[0]}*:{line.partition(':')[2]}", ""]
        elif line.startswith("    ") and not line.startswith("     "):
            name, colon, words = line.strip().partition(": ")
            lines.append(f"- `{name}`: {words}" if colon else f"- {name}")
        else:
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


# Markdown --------------------------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def first_sentence(text: str | None) -> str:
    """A text's first sentence, in one line."""
    line = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.) ", line)[0]


def sentence(words: str) -> str:
    """Words for a cell, with a capital."""
    return cell(words[:1].upper() + words[1:])


def cell(words: str) -> str:
    """Text that may stand in a cell of a table."""
    return words.replace("|", "\\|").replace("\n", " ")


def table(head: Iterable[str], rows: Iterable[list[str]]) -> str:
    """A table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def joined(parts: Iterable[str]) -> str:
    """A page of its parts."""
    return "\n\n".join(parts) + "\n"


def main() -> None:
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
