"""Which keys of a health page say what answers, and not how it is: one definition for collectors and judges."""

from __future__ import annotations

from proofbook.config.conversation import Expectation

# Under which a page says which product it is of; a name may be that of an instance.
PRODUCT_KEYS = ("service", "application", "app", "product")
REVISION_KEYS = ("revision", "version", "build", "commit", "sha", "release")


def states_health(expected: Expectation | None) -> bool:
    """Whether an expectation says how a healthy page looks; one that names the product alone leaves that to the page's own word.

    >>> states_health(Expectation(json={"status": "ok"})), states_health(Expectation(json={"service": "chat"}))
    (True, False)
    """
    if expected is None:
        return False
    return expected.regex is not None or any(
        path.lower() not in (*PRODUCT_KEYS, *REVISION_KEYS) for path in expected.fields
    )
