# SPDX-License-Identifier: Apache-2.0
"""Ids, capabilities, limits, and numbers behind pointers."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.kit import (
    MASK32,
    boxed,
    fixed,
    listed,
    none,
    number,
    of,
    pointer,
    recorded,
    register,
)
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_GROUPS_MAX: Final = 65536


def _id(value: int) -> str:
    return "-1" if value == MASK32 else str(value)


def _ids(view: View, index: int) -> str:
    item = recorded(view, index)
    if item is None or register(view, 0) & MASK32 > _GROUPS_MAX:
        return address(view.registers[index])
    return listed(item, 4, _id, view, view.registers[index])


_CAP_VERSION: Final = XLATS["cap_version"]
_CAPS: Final = XLATS["capabilities"]
_CAP_VERSION_1: Final = 0x19980330


_WORDS: Final = [
    {1 << bit - first: f"1<<{name}" for bit, name in sorted(_CAPS.names.items()) if first <= bit < first + 32}
    for first in (0, 32)
]


def _caps(words: tuple[int, int], view: View) -> str:
    # The 64 bits are in two words.
    parts = []
    for word, names in zip(words, _WORDS, strict=True):
        found = [name for bit, name in names.items() if word & bit]
        rest = word & ~sum(names)
        if word:
            text = "|".join(found + ([f"{rest:#x}"] if rest else []))
            parts.append(styled(text, f"{word:#x}", view.options.constants))
    return "|".join(parts) or "0"


@fixed("Ii")
def _cap_header(view: View, version: int, pid: int) -> str:
    return f"{{version={_CAP_VERSION.one(version, view.options)}, pid={pid}}}"


_CAP_DATA: Final = Struct("<6I")


def _cap_data(data: bytes, view: View) -> str:
    version = int.from_bytes(view.data(0)[:4], "little")
    if version not in _CAP_VERSION.names:
        return address(register(view, 1))
    if version == _CAP_VERSION_1 and len(data) >= _CAP_DATA.size // 2:
        data = data[: _CAP_DATA.size // 2].ljust(_CAP_DATA.size, b"\0")
    if len(data) < _CAP_DATA.size:
        item = view.item(1, out=view.call.name == "capget")
        return address(register(view, 1)) if item is not None and item.fault else "{...}"
    low, high = _CAP_DATA.unpack(data[: _CAP_DATA.size])[:3], _CAP_DATA.unpack(data[: _CAP_DATA.size])[3:]
    sets = [_caps(words, view) for words in zip(low, high, strict=True)]
    return f"{{effective={sets[0]}, permitted={sets[1]}, inheritable={sets[2]}}}"


# limits


def _limit(value: int, view: View) -> str:
    if value == (1 << 64) - 1:
        narrow = view.call.compat and view.call.name != "prlimit64"
        name, most = ("RLIM_INFINITY", MASK32) if narrow else ("RLIM64_INFINITY", value)
        return styled(name, str(most), view.options.constants)
    text = f"{value >> 10}*1024" if value > 1024 and not value & 1023 else str(value)
    return styled(text, str(value), view.options.constants)


@fixed("QQ")
def _rlimit(view: View, current: int, most: int) -> str:
    return f"{{rlim_cur={_limit(current, view)}, rlim_max={_limit(most, view)}}}"


VALUES: Final[dict[str, Printer]] = {
    "none": none,
    "other_fd": of(number),  # of another process, whose descriptors' names are not looked for
    "id_list": _ids,
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    "epoll_slot": fixed("iiI")(lambda _view, *slot: "{{efd={}, tfd={}, toff={}}}".format(*slot)),
    "boxed_offset": boxed("q", lambda value, _view: str(value)),
    "boxed_int": boxed("i", lambda value, _view: str(value)),
    "boxed_uint": boxed("I", lambda value, _view: str(value)),
    "boxed_id": boxed("I", lambda value, _view: _id(value)),
    "boxed_size": boxed("Q", lambda value, _view: str(value)),
    "boxed_addr": boxed("Q", lambda value, _view: pointer(value)),
    "rlimit": _rlimit,
    "cap_header": _cap_header,
    "cap_data": _cap_data,
}
