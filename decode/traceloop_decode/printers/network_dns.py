# SPDX-License-Identifier: Apache-2.0
"""DNS messages in the buffers of calls whose other end is port 53.

The other end is an address of the call itself, or what `descriptors` knows of the socket.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.view import View
from traceloop_decode.syscalls import MESSAGES
from traceloop_decode.values import dns

PORT: Final = 53
_PAYLOAD, _ADDRESS = 1, 4  # arguments
_WITH_ADDRESS: Final = frozenset(("sendto", "recvfrom"))
_INET: Final = frozenset((2, 10))
_LENGTH_BYTES: Final = 2  # before a message in a stream (RFC 1035, 4.2.2)


def shown(view: View, data: bytes) -> str | None:
    """Returns a buffer's message as ``{dns query A db.internal}``; None where it is to be shown as it is."""
    if not view.options.dns or view.call.name not in MESSAGES or not _is_at_resolver(view):
        return None
    message = _message(data)
    return None if message is None else f"{{{dns.text(message)}}}"


def messages(view: View) -> Iterator[dns.Message]:
    """Yields the messages in a call's buffers."""
    if view.call.name not in MESSAGES or not _is_at_resolver(view):
        return
    for item in view.call.items.get(_PAYLOAD, ()):
        if item.kind == layout.KIND_BUFFER and item.sub not in (layout.SUB_NAME, layout.SUB_CONTROL):
            message = _message(item.data)
            if message is not None:
                yield message


def _message(data: bytes) -> dns.Message | None:
    found = dns.parsed(data)
    return dns.parsed(data[_LENGTH_BYTES:]) if found is None else found


def _is_at_resolver(view: View) -> bool:
    port = view.remote_port()
    if port is not None:
        return port == PORT
    items = view.call.items.get(_ADDRESS if view.call.name in _WITH_ADDRESS else _PAYLOAD, ())
    return any(_port(item) == PORT for item in items if view.call.name in _WITH_ADDRESS or item.sub == layout.SUB_NAME)


def _port(item: Item) -> int | None:
    data = item.data
    known = len(data) >= 4 and int.from_bytes(data[:2], "little") in _INET
    return int.from_bytes(data[2:4]) if known else None
