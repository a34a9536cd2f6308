# SPDX-License-Identifier: Apache-2.0
"""Structs at the start of netlink messages whose first byte is an address family, and the attributes after them."""

from __future__ import annotations

from traceloop_decode.printers.netlink_attributes import Scope, attributes
from traceloop_decode.printers.netlink_memory import Memory
from traceloop_decode.printers.netlink_structs import layout_of
from traceloop_decode.values.xlat import XLATS


def head(memory: Memory, at: int, size: int, names: tuple[str, str], scope: Scope) -> str:
    """Returns a struct whose family has been read, and the attributes after it.

    names: of the struct, and of the group of attributes; "" for no attributes.
    """
    (struct, group), options = names, memory.view.options
    layout = layout_of(struct)
    shown = layout.text(bytes([scope.family]), scope.family, options)
    whole = True
    if len(layout.fields) > 1:
        data = memory.read(at, layout.size)
        whole = size >= layout.size and data is not None
        if size < layout.size:
            shown.append("...")
        elif data is None:
            shown.append(memory.missing(at + 1))
        else:
            shown = layout.text(data, scope.family, options)
    text, after = f"{{{', '.join(shown)}}}", (layout.size + 3) & ~3
    if not whole or not group or size <= after:
        return text
    return f"{text}, {attributes(memory, at + after, size - after, scope.groups[group], scope)}"


def family_and_data(memory: Memory, at: int, size: int, family: int) -> str:
    """Returns the family of a message of an unknown type, and the bytes after it."""
    text = f"{{family={XLATS['address_families'].one(family, memory.view.options)}"
    return text + (f", data={memory.hex(at + 1, size - 1)}}}" if size > 1 else "}")
