"""HTML that others wrote (notebook outputs, markdown), made harmless: no script, no style that covers the page, no address but a link."""

from __future__ import annotations

import re

import nh3

from proofbook.redaction.unseen import visible

# Of drawings the shapes alone: nothing that moves, links, asks for a file or holds HTML.
_TAGS = nh3.ALLOWED_TAGS | {"section", "tfoot", "svg", "path", "title"}
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()} | {
    "*": {"class", "id", "title", "lang", "dir", "role", "style"},
    "details": {"open"},
    "time": {"datetime"},
    "th": {"scope", "rowspan", "colspan"},
    "table": {"border", "summary"},
    "svg": {"viewBox", "width", "height", "preserveAspectRatio"},
    "path": {
        "d",
        "fill",
        "fill-opacity",
        "stroke",
        "stroke-width",
        "stroke-opacity",
        "stroke-dasharray",
        "vector-effect",
    },
}
# A colour by its name, by its number, or as the page has it; no address.
_PAINT = re.compile(r"[a-zA-Z]+|#[0-9a-fA-F]{3,8}|var\(--[a-z-]+(?:, (?:#[0-9a-fA-F]{3,8}|[a-zA-Z]+))?\)")
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
    if name in ("fill", "stroke"):
        return value if _PAINT.fullmatch(value) else None
    if name == "src":
        return value if value.startswith("data:image/") else None
    return value
