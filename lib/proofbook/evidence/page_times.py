"""Which timestamps of a health page are its own: one definition for collectors and judges."""

from __future__ import annotations

import re

# Names, without their case and what joins their parts, of the time at which a page was made or its checks were done.
_OF_NOW = re.compile(
    r"(?:timestamp|time|date|datetime|now|ts|clock|epoch|unixtime|asof)(?:utc|iso|ms|now)?"
    r"|(?:utc|iso|local|current|server|system|response|report|check|probe|status|health)_?(?:time|date|timestamp|now)"
    r"|(?:last)?(?:health)?_?check(?:ed)?(?:at|on|time|timestamp)?|last(?:run|probe|probed)(?:at)?|generated(?:at|on)?"
)
# Of something that happened once, or is yet to come.
_OF_ONE_MOMENT = re.compile(
    r"start|boot|buil[dt]|deploy|creat|releas|since|expir|compil|commit|install|birth|publish|valid|until|next|version|image|up$"
)


def _bare(path: str) -> str:
    return re.sub(r"[^a-z]", "", path.rpartition(".")[2].lower())


def means_now(path: str) -> bool:
    """Whether the last name of a path is one of the time at which a page was made.

    >>> [means_now(name) for name in ("timestamp", "data.checkedAt", "last_check", "started_at", "updated")]
    [True, True, True, False, False]
    """
    return _OF_NOW.fullmatch(_bare(path)) is not None


def is_of_one_moment(path: str) -> bool:
    """Whether the last name of a path is one of a time that stands still by its nature, such as that of a build.

    >>> [is_of_one_moment(name) for name in ("started_at", "buildTime", "updated")]
    [True, True, False]
    """
    return _OF_ONE_MOMENT.search(_bare(path)) is not None
