"""The errno values of a failed connection, wherever in the chain of exceptions they are."""

from __future__ import annotations


def error_numbers(error: BaseException | None) -> set[int]:
    """The numbers of the system in an error, in its causes, and in those that it stands for.

    >>> error_numbers(ExceptionGroup("two addresses", [ConnectionRefusedError(111, "no"), OSError(101, "none")])) == {111, 101}
    True
    """
    found: set[int] = set()
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            found |= set[int]().union(*map(error_numbers, error.exceptions))
        number = getattr(error, "errno", None)
        found |= {number} if isinstance(number, int) else set()
        error = error.__cause__ or error.__context__
    return found
