"""Which service an instance belongs to, by the names that platforms give to instances."""

from __future__ import annotations

# Kubernetes writes random parts without vowels, so that no words come of them; hashes of templates may hold any digit.
_RANDOM = "[bcdfghj-np-tv-xz0-9]"
# A Deployment's pod is NAME-HASH-SUFFIX, a DaemonSet's or Job's NAME-SUFFIX (told from a word by its digit), a StatefulSet's NAME-0.
OF_INSTANCE = (
    rf"^(.+)-{_RANDOM}{{6,10}}-{_RANDOM}{{5}}$",
    rf"^(.+)-(?:[bcdfghj-np-tv-xz]{{0,4}}[0-9]{_RANDOM}{{0,4}})$",
    r"^(.+)-[0-9]{1,4}$",
)


def service_sql(instance: str) -> str:
    """A DuckDB expression for the service of an instance, its own name where it has none of the usual forms.

    >>> import duckdb
    >>> names = ["shop-cart-6d4b75cb6d-hs9xk", "agent-x2v7q", "store-0", "cart", "front-office"]
    >>> [duckdb.execute(f"SELECT {service_sql('$1')}", [name]).fetchone()[0] for name in names]
    ['shop-cart', 'agent', 'store', 'cart', 'front-office']
    """
    deployment, single, numbered = (f"nullif(regexp_extract({instance}, '{form}', 1), '')" for form in OF_INSTANCE)  # fmt: skip
    # A suffix of Kubernetes has five letters and digits, never fewer.
    five = f"CASE WHEN regexp_matches({instance}, '-{_RANDOM}{{5}}$') THEN {single} END"
    return f"coalesce({deployment}, {five}, {numbered}, {instance})"
