"""What an answer to a first look is: a health page, the way to one, a login, or no more than what every path answers."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from proofbook.collect.answers import Answer
from proofbook.collect.services import health_page
from proofbook.collect.services.health_page import Word
from proofbook.evidence import stand_ins

_TITLE = re.compile(r"<title[^>]*>(.{0,200}?)</title", re.IGNORECASE | re.DOTALL)


def sends_to(path: str, answer: Answer) -> str:
    """The path that an answer sends to: the same with a slash at its end, as several frameworks do, or of / any other of this server; else empty."""
    if not answer.is_redirect:
        return ""
    there = urlsplit(answer.headers["location"])
    is_own = path == "/" and there.path.startswith("/") and not (there.netloc or there.query)
    return there.path if there.path == f"{path}/" or is_own else ""


def are_alike(answer: Answer, unknown: Answer) -> bool:
    """Whether a path answers as one that must not exist does, and is there no more than that; of 404 there is another word."""
    if answer.status_code != unknown.status_code or not (answer.status_code < 300 or answer.status_code >= 500):  # fmt: skip
        return False
    if answer.status_code >= 500 or answer.body == unknown.body:
        return True
    titles = [found[1] for page in (answer, unknown) if (found := _TITLE.search(page.text[:50_000]))]
    return answer.is_html and unknown.is_html and len(titles) == 2 and titles[0] == titles[1]


def no_health(answer: Answer) -> str:
    """Why an answer is no health page, or nothing."""
    if answer.is_redirect:
        return f"answers {answer.status_code} to {answer.headers.get('location', 'elsewhere')[:80]}"
    if answer.status_code in (401, 403):
        return f"answers {answer.status_code}: it wants a login"
    if not 200 <= answer.status_code < 300:
        return f"answers {answer.status_code}"
    if is_login_page(answer):
        return "is a login page"
    return "is a page of metrics" if stand_ins.metrics_in(answer.text) else ""


def is_a_word(answer: Answer) -> bool:
    """Whether an answer is a text that says nothing ill, such as the one that servers of WebSockets have for every path."""
    said = health_page.read(answer.text, is_html=answer.is_html)
    is_short = len(answer.body) <= 100 and not answer.is_html and answer.status_code == 200
    return is_short and (said is None or said.word is Word.WELL)


def is_login_page(answer: Answer) -> bool:
    """Whether an answer is a page that asks people to log in."""
    return answer.is_html and stand_ins.is_login(answer.text)
