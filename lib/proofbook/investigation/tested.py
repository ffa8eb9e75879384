"""What was tested: a value or a pair of values, and what makes it of interest."""

from __future__ import annotations

from dataclasses import dataclass

# A value is of interest if so many selected units have it, so much more often than others, and it holds so much of what is selected.
LEAST, MIN_RATIO, MIN_HOLDS = 5, 1.5, 0.05
# The composition of what is selected is compared with other windows once these hold so much of it.
LEAST_POOL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A value or a pair of values that is over-represented in a window.

    parts: (field, number of the value). selected, others: units that have all of them; of_selected, of_others: of how many. strength: −log10 p.
    """

    parts: tuple[tuple[str, int], ...]
    selected: int
    others: int
    of_selected: int
    of_others: int
    strength: float

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of its parts: what its scale is of."""
        return tuple(name for name, _ in self.parts)

    @property
    def ratio(self) -> float:
        """How much more often selected units have it than others."""
        return (self.selected / self.of_selected) / (max(self.others, 0.5) / max(self.of_others, 1))

    @property
    def holds(self) -> float:
        """The share of the selected units that have it."""
        return self.selected / self.of_selected
