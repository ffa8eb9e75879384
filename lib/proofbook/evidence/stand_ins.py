"""What stands in for a service although it answers 200: a page of a proxy, of a login, of maintenance, or what a crash left."""

from __future__ import annotations

import html
import re

# How a page for people calls itself that stands in for a service, in the languages of those who wrote the defaults.
_HEADING = re.compile(r"<(title|h1)\b[^>]*>(.{0,300}?)</\1", re.IGNORECASE | re.DOTALL)
_STANDS_IN = re.compile(
    r"^\W*(?:"
    # Maintenance.
    r"(?:site |service |system |website |we are |we're )?(?:is |are |down |currently )*(?:under|in|for|undergoing)? ?(?:scheduled |planned )?maintenance"
    r"(?: mode| page| in progress)?\W*(?:$|[|–—-] )|we(?:'|’| wi)?ll be (?:right )?back|(?:under construction|coming soon|be right back)\W*$"
    r"|(?:geplante )?wartung(?:sarbeiten|sseite|smodus)?\W*$|(?:seite |site )?(?:in|im) (?:wartung|wartungsmodus)\W*$"
    r"|(?:site |service )?(?:est )?en maintenance|maintenance en cours|(?:sitio )?en mantenimiento|(?:sito )?in manutenzione|em manutenção"
    r"|(?:in )?onderhoud\W*$|przerwa techniczna|технические работы|メンテナンス|维护中"
    # Boards of incidents.
    r"|(?:major |partial |minor |critical )(?:system |service )?(?:outage|degradation)\b|(?:active |service |system )?outage\W*$"
    r"|(?:some|several|all) (?:of our )?(?:systems|services) are (?:currently )?(?:down|unavailable|offline|experiencing)\b"
    # What proxies and platforms say of what is behind them.
    r"|(?:error |http |http error )?(?:\d{3} ?[-:|]? ?)?(?:bad gateway|gateway time-?out|internal server error|not found|forbidden|"
    r"(?:service |temporarily )(?:temporarily )?(?:unavailable|offline|down))\b"
    r"|error(?: [45]\d\d)?\W*$|(?:[45]\d\d) error\W*$|application error\W*$|page not found\W*$|no such app\W*$|oops\b"
    r"|(?:the |this |your )?(?:application|app|site|website|server|page|project|deployment) (?:is |was )?(?:currently )?not (?:available|found)\b"
    r"|(?:this |your )?(?:account|site|website|domain) (?:has been |is )?(?:suspended|disabled|deactivated|expired)\b"
    r"|(?:database|connection|server|runtime|proxy|bootstrap|fatal) (?:connection )?error\W*$|error establishing a|whitelabel error|unable to connect\b"
    r"|(?:sorry, |we're sorry, |we are sorry, )?(?:but )?something went wrong|(?:site|page) can(?:no|')t be reached"
    # Whoever wants to know first that a person asks: what follows is what _CHALLENGES finds.
    r"|just a moment\W*$|attention required|checking your browser|verify(?:ing)? (?:that )?you are (?:a )?human|are you a (?:robot|human)"
    r"|access (?:to this page has been )?denied|request (?:blocked|rejected)|pardon our interruption|security check\W*$|human verification"
    r"|(?:you have been|you are) blocked"
    # Nobody's.
    r"|(?:this )?domain (?:name )?(?:is |may be )?(?:for sale|parked)|parked domain|[\w.-]+\.[a-z]{2,} (?:is|may be) for sale"
    r")",
    re.IGNORECASE,
)
# Of those, what is said to the one who asks, and not of the service.
_CHALLENGES = re.compile(
    r"\W*(?:just a moment|attention required|checking your browser|verify|are you a|access (?:to this page has been )?denied|request (?:blocked|rejected)"
    r"|pardon our|security check|human verification|you (?:have been|are) blocked)",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"type=[\"']?password", re.IGNORECASE)
_IS_PAGE = re.compile(r"\s*(?:<!doctype html|<html\b)", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
# What a program leaves in place of an answer, where it stands at the beginning: the texts of Python, PHP, Java, Go, Node, .NET and SOAP.
_CRASH = re.compile(
    r"\W*(?:Traceback \(most recent call last\)|(?:PHP )?(?:Fatal|Parse) error\b|Uncaught \w*(?:Error|Exception)|Unhandled (?:exception|rejection)"
    r"|panic: |goroutine \d+ \[|(?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error)\b|System\.\w*Exception|(?:[A-Z]\w+)?(?:Error|Exception): "
    r"|SQLSTATE\[|Internal Server Error\b|Bad Gateway\b|Service (?:Temporarily )?Unavailable\b|upstream connect error)"
)
# What PHP says and goes on after, such as that it has no database.
_WARNING = re.compile(r"\W*(?:PHP )?Warning\s*:\s.{1,400}?\sin\s+\S.{0,200}?\son\s+line\s+\d+", re.DOTALL)
# Where it gives up in the middle of a page, as PHP writes that in one.
_GAVE_UP = re.compile(r"<b>(?:Fatal|Parse) error</b>\s*:\s.{1,200}", re.DOTALL)
_FAULT = re.compile(r"<(?:\w+:)?Fault\b")
# A line of Prometheus' text format or of OpenMetrics, and what no other text has: a comment of it, a label, its own `up`.
_SAMPLE = re.compile(
    r"#|[A-Za-z_:][\w:]*(?:\{.*\})? +(?:[+-]?(?:\d[\d.]*(?:e[+-]?\d+)?|inf)|nan)(?: +-?[\d.]+)?(?: +#.*)?$",
    re.IGNORECASE,
)
_METRIC = re.compile(
    r"^(?:# (?:HELP|TYPE|UNIT) [A-Za-z_:]|[A-Za-z_:][\w:]*\{\w+=\"|up [01](?:\.0)?$)", re.MULTILINE
)
_DOWN = re.compile(r"^up(?:\{.*\})? 0(?:\.0)?(?: |$)", re.MULTILINE)
_METRIC_LINES = 200
_READ = 50_000
_SHOWN = 80


def is_page(text: str) -> bool:
    """Whether a text is a page for people, whatever its headers say."""
    return _IS_PAGE.match(text) is not None


def is_login(text: str) -> bool:
    """Whether a page asks for a password."""
    return _LOGIN.search(text[:_READ]) is not None


def warning_in(text: str) -> str:
    """The warning of a program that went on after it, where a page begins with one, or the error with which it ends; empty where there is none.

    >>> warning_in("<b>Warning</b>:  mysqli_connect(): refused in <b>/a.php</b> on line <b>3</b>")
    'Warning : mysqli_connect(): refused in /a.php on line 3'
    >>> warning_in("<title>Shop</title><h1>Shop</h1><b>Fatal error</b>: no database")
    'Fatal error : no database'
    """
    found = _WARNING.match(_TAG.sub(" ", text[:_READ]))
    if found is None and (end := _GAVE_UP.search(text[:_READ])) is not None:
        return " ".join(_TAG.sub(" ", end[0]).split())[:_SHOWN]
    return " ".join(found[0].split())[:_SHOWN] if found else ""


def named_in(text: str) -> str:
    """How a page for people calls itself, where that means that it stands in for another; empty where it does not.

    >>> named_in("<title>502 Bad Gateway</title>"), named_in("<title>Maintenance of cars</title>")
    ('502 Bad Gateway', '')
    """
    for heading in _HEADING.finditer(text[:_READ]):
        words = " ".join(html.unescape(_TAG.sub(" ", heading[2])).split())
        if _STANDS_IN.match(words):
            return words
    return "a login" if is_login(text) else ""


def is_challenge(words: str) -> bool:
    """Whether what a page calls itself is meant for the one who asks, as by a firewall.

    >>> is_challenge("Verify you are human"), is_challenge("502 Bad Gateway")
    (True, False)
    """
    return _CHALLENGES.match(words) is not None


def metrics_in(text: str) -> str:
    """What a page of metrics is, which says nothing of health, not even by its `up`; empty of any other page.

    >>> metrics_in("# TYPE up gauge\\nup 0\\n"), metrics_in("up 1"), metrics_in("OK 200")
    ('metrics (up 0) and no word of health', 'metrics and no word of health', '')
    """
    lines = text[:_READ].splitlines(keepends=True)[:_METRIC_LINES]
    # What does not end may have been cut.
    whole = [line.strip() for line in lines if line.endswith("\n") and line.strip()]
    if not _METRIC.search("".join(lines)) or not all(_SAMPLE.match(line) for line in whole):
        return ""
    return f"metrics{' (up 0)' if _DOWN.search(text[:_READ]) else ''} and no word of health"


def crash_in(text: str) -> str:
    """The first line of what a crash left in place of an answer; empty where there is none.

    >>> crash_in("<b>Fatal error</b>: Uncaught PDOException: refused"), crash_in("no errors")
    ('Fatal error : Uncaught PDOException: refused', '')
    """
    if text.lstrip().startswith("<?xml") or _FAULT.match(text.lstrip()):
        fault = _FAULT.search(text[:_READ])
        return " ".join(_TAG.sub(" ", text[fault.start() : fault.start() + 600]).split())[:_SHOWN] or "Fault" if fault else ""  # fmt: skip
    if is_page(text):
        return ""
    words = _TAG.sub(" ", text[:_READ]).strip()
    return " ".join(words.split("\n", 1)[0].split())[:_SHOWN] if _CRASH.match(words) else ""
