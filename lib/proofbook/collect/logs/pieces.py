"""How the lines of a container that are too long for its runtime are put together again."""

from __future__ import annotations

import re

from proofbook.collect.logs.lines import Pieces

CRI_LINE = re.compile(r"(\S+ )(stdout|stderr) ([PF]) (.*)", re.DOTALL)
_DOCKER_LINE = re.compile(r'\{"log": ?"((?:[^"\\]|\\.)*)"(.*?"stream": ?"(\w+)".*)', re.DOTALL)


def _cri_pieces(line: str) -> tuple[str, str]:
    found = CRI_LINE.match(line)
    return (found[2], found[4]) if found else ("", line)


def _docker_pieces(line: str) -> tuple[str, str]:
    found = _DOCKER_LINE.match(line)
    return (found[3], found[1]) if found else ("", line)


def _docker_joined(line: str, added: str) -> str:
    found = _DOCKER_LINE.match(line)
    return f'{{"log":"{found[1]}{added}"{found[2]}' if found else line + added


# A line of a container that is too long comes in pieces: of Docker each but the last has no end of line.
PIECES: dict[str, Pieces] = {
    "container": Pieces(
        is_open=r"^\S+ (?:stdout|stderr) P ",
        hints=(b" stdout P ", b" stderr P "),
        split=_cri_pieces,
        join=lambda line, added: line + added,
    ),
    "docker-json": Pieces(
        is_open=r'^\{"log": ?"(?:[^"\\]|\\.)*(?:[^n"\\]|[^\\]n|\\[^n]|\\\\n)", ?"stream":',
        hints=(b'"stream":',),
        split=_docker_pieces,
        join=_docker_joined,
    ),
}
