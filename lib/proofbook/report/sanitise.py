"""HTML that others wrote (notebook outputs, markdown), made harmless: no script, no style that covers the page, no address but a link."""

from __future__ import annotations

import nh3

from proofbook.redaction.unseen import visible

_TAGS = nh3.ALLOWED_TAGS | {"section", "tfoot"}
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()} | {
    "*": {"class", "id", "title", "lang", "dir", "role", "style"},
    "details": {"open"},
    "time": {"datetime"},
    "th": {"scope", "rowspan", "colspan"},
    "table": {"border", "summary"},
}
# Enough for tables and cards; nothing that takes a thing out of the flow of the page.
_STYLES = {
    "color", "background-color", "opacity", "font-weight", "font-size", "font-style", "font-family", "text-align", "text-decoration",
    "vertical-align", "white-space", "border", "border-left", "border-right", "border-top", "border-bottom", "border-radius",
    "border-collapse", "padding", "padding-left", "padding-right", "margin", "list-style", "max-width", "width",
}  # fmt: skip


def clean(html: str) -> str:
    """`html` without anything that executes, asks for another address, covers the page, or hides what it says."""
    return visible(
        nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_kept,
            generic_attribute_prefixes={"data-", "aria-"},
            filter_style_properties=_STYLES,
            url_schemes={"https", "http", "mailto", "data"},
            link_rel="noopener noreferrer",
        )
    )


def _kept(tag: str, name: str, value: str) -> str | None:
    """Links lead to a place in the page or out of it; pictures are in the page."""
    if name == "href":
        return value if value.startswith(("#", "https:", "http:", "mailto:")) else None
    if name == "src":
        return value if value.startswith("data:image/") else None
    return value
