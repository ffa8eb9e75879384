"""Every kind, by its name."""

from __future__ import annotations

from abroad.fronts import FRONTS
from abroad.kinds import Kind
from abroad.pages import PAGES
from abroad.sockets import SOCKETS
from abroad.spoken import SPOKEN
from abroad.stated import STATED
from abroad.tokens import TOKENS
from abroad.uncommon import UNCOMMON

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*PAGES, *SOCKETS, *TOKENS, *SPOKEN, *FRONTS, *STATED, *UNCOMMON)
}
