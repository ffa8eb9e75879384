"""Elixir and Erlang: exceptions, exits, and the reports of processes that terminate."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofbook.judge.log_text.frames import Frame, Raised, raised

_HEADER = re.compile(r"^\s*(?:\S.* )?\*\* \((EXIT|exit|throw|stop|:?[A-Z][\w.]*)(?: [^)]*)?\) ?(.*)$")
_FRAME = re.compile(
    r"^\s+(?:\(([a-z_]\w*)(?: [^)]*)?\) )?([^\s:()]+\.(?:exs?|erl|h?eex|leex)):(?:\d+|#): (\S.*)$"
)
_BUILT_IN = re.compile(r"^\s+(?:\(([a-z_]\w*)(?: [^)]*)?\) )?(:?[\w.]+\.[\w?!]+(?:/\d+|\(.*\)))$")
_ERLANG = re.compile(r"\bexception (error|exit|throw): (.*)$")
_ERLANG_FRAME = re.compile(
    r"^\s*(?:in function|in call from) +([^\s(]+(?:/\d+)?)(?: \(([^,()]+), line (?:\d+|#)\))?"
)
# Applications that others wrote; which are those of the project itself, no trace says.
_OTHERS = re.compile(
    r"^(?:stdlib|kernel|erts|elixir|eex|ex_unit|iex|logger|mix|crypto|ssl|inets|mnesia|sasl|public_key|compiler|runtime_tools|phoenix\w*|plug\w*|ecto\w*"
    r"|cowboy\w*|cowlib|ranch|bandit|thousand_island|websock\w*|db_connection|postgrex|myxql|tds|exqlite|telemetry\w*|absinthe\w*|dataloader|oban\w*|broadway\w*"
    r"|gen_stage|flow|finch|mint\w*|req|tesla|httpoison|hackney|jason|poison|redix|swoosh|bamboo|guardian|ueberauth\w*|ex_aws\w*|gettext|decimal|timex"
    r"|nimble_\w+|castore|sentry|opentelemetry\w*|quantum|libcluster|horde|cachex|nebulex|amqp\w*|brod|kafka_ex|floki|earmark|tzdata|con_cache|spandex\w*)$"
)


def is_header(line: str) -> bool:
    """Whether a line names an exception of Elixir or Erlang."""
    return bool(_HEADER.match(line) or _ERLANG.search(line))


def read(lines: Sequence[str]) -> list[Raised]:
    """The exception, after those that it came from."""
    chain: list[Raised] = []
    head: tuple[str, str] | None = None
    frames: list[Frame] = []
    for line in lines:
        if frame := _frame(line):
            frames.append(frame)
        elif (found := _HEADER.match(line)) and not (head and found[1] == "EXIT"):
            # An exit that an exception led to says no more than that.
            if head is not None and (frames or head[0] != "exit"):
                chain.append(raised(head[0], head[1], frames[::-1]))
            head, frames = (found[1], found[2]), []
        elif found := _ERLANG.search(line):
            head, frames = (found[1], found[2]), []
    if head is not None:
        chain.append(raised(head[0], head[1], frames[::-1]))
    return chain


def _frame(line: str) -> Frame | None:
    if match := _FRAME.match(line):
        return _of(match[1], match[2], re.sub(r"\(.*\)$", "", match[3]))
    if match := _BUILT_IN.match(line):
        return _of(match[1] or ("erts" if match[2].startswith(":") else ""), "", match[2].partition("(")[0])
    if match := _ERLANG_FRAME.match(line):
        return _of("", match[2] or "", match[1])
    return None


def _of(application: str | None, place: str, function: str) -> Frame:
    of_others = bool(application and _OTHERS.match(application))
    return Frame(function=function, place=place, library=of_others)
