# SPDX-License-Identifier: Apache-2.0
"""Makes a page's elements. All text of a container goes through `text`."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from traceloop_decode.safe_text import printable


def text(untrusted: str) -> str:
    """Returns printable text in which nothing is markup."""
    return escape(printable(untrusted))


def element(tag: str, *content: str, attributes: str = "") -> str:
    """Returns an element. content: of `text`, or elements. attributes: constant."""
    return f"<{tag}{attributes and f' {attributes}'}>{''.join(content)}</{tag}>"


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Returns the terms of a list and their descriptions, which are markup already."""
    return "".join(element("dt", name) + element("dd", content) for name, content in pairs)
