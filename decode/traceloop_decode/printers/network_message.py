# SPDX-License-Identifier: Apache-2.0
"""Messages of sockets as text: ``struct msghdr`` and the control messages that it carries."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.files_vectors import vector
from traceloop_decode.printers.memory import is_readable
from traceloop_decode.printers.netlink_memory import Memory, memory_of
from traceloop_decode.printers.network_address import inet_addr, interface, sockaddr
from traceloop_decode.printers.network_netlink import is_netlink, messages
from traceloop_decode.printers.numbers import address, user
from traceloop_decode.printers.view import View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, Xlat

_HEADER: Final = Struct("<QI4xQQQQI4x")
"""struct user_msghdr: name, namelen, iov, iovlen, control, controllen, flags."""
_HEADER_32: Final = Struct("<IIIIIII")
"""struct compat_msghdr, with the same fields."""
_CONTROL: Final = Struct("<QII")
"""struct cmsghdr: len, level, type."""
_CONTROL_32: Final = Struct("<III")
"""struct compat_cmsghdr, with the same fields."""
_CREDENTIALS: Final = Struct("<III")
_PACKET_INFO: Final = Struct("<I4s4s")
_EXTENDED_ERROR: Final = Struct("<IBBBBII")
_SECONDS: Final = Struct("<qq")

_FLAGS: Final = XLATS["msg_flags"]
_LEVELS: Final = Xlat(XLATS["socket_levels"].entries, "SOL_???")
_SOL_IP: Final = 0
_SOL_SOCKET: Final = 1


def sent(view: View, index: int) -> str:
    """Prints the message that sendmsg is given."""
    return _message(view, index, out=False) or address(view.registers[index])


def received(view: View, index: int) -> str:
    """Prints the message that recvmsg returned, or only the space for its name if it received none."""
    if view.returned and not view.failed:
        text = _message(view, index, out=True)
        if text is not None:
            return text
    name_length = _name_length(view, index)
    return address(view.registers[index]) if name_length is None else f"{{msg_namelen={name_length}}}"


def many(view: View, index: int) -> str:
    """Prints the messages of sendmmsg and recvmmsg, with the lengths of those that were sent or received."""
    sends, pointer = view.call.name == "sendmmsg", view.registers[index]
    done = 0 if view.failed else view.call.result or 0
    if not view.returned or (view.failed and not sends):
        return address(pointer)
    count = view.registers[index + 1] & 0xFFFFFFFF if sends and index + 1 < len(view.registers) else done
    groups: list[list[Item]] = []
    for item in view.call.items.get(index, ()):
        if not item.out:
            continue
        if item.kind == layout.KIND_MSG:
            groups.append([])
        if groups:
            groups[-1].append(item)
    shown = [
        _of_many(items, view, sends=sends, done=number < done)
        for number, items in enumerate(groups[:count])
        if items and len(items[0].data) >= _size(view)
    ]
    if count and not shown:
        return address(pointer)
    if len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def _of_many(items: list[Item], view: View, *, sends: bool, done: bool) -> str:
    header, size = items[0].data, _size(view)
    length = int.from_bytes(header[size : size + 4], "little")
    text = _header_text(header, "", items, view, received=None if sends else length)
    return f"{{msg_hdr={text}{f', msg_len={length}' if done else ''}}}"


def _size(view: View) -> int:
    return (_HEADER_32 if view.call.compat else _HEADER).size


def _message(view: View, index: int, *, out: bool) -> str | None:
    items = [item for item in view.call.items.get(index, ()) if item.out is out]
    head = next((item for item in items if item.kind == layout.KIND_MSG), None)
    if head is None or len(head.data) < _size(view):
        return None
    before = _name_length(view, index) if out else None
    now = int.from_bytes(_name_length_in(head.data, view), "little", signed=True)
    changed = f"{before} => " if before is not None and before != now else ""
    return _header_text(head.data, changed, items, view, received=view.call.result if out else None, room=before)


def _name_length_in(header: bytes, view: View) -> bytes:
    return header[4:8] if view.call.compat else header[8:12]


def _name_length(view: View, index: int) -> int | None:
    # msg_namelen at entry.
    for item in view.call.items.get(index, ()):
        if not item.out and item.sub == 0 and len(item.data) >= 12 and is_readable(item, item.size):
            return int.from_bytes(_name_length_in(item.data, view), "little", signed=True)
    return None


def _header_text(
    header: bytes, changed: str, items: list[Item], view: View, *, received: int | None, room: int | None = None
) -> str:
    # room: the number of bytes that the program has for the name, which may be longer.
    unpack = (_HEADER_32 if view.call.compat else _HEADER).unpack_from
    name, name_length, iov, iov_count, control, control_length, flags = unpack(header)
    options = view.options
    by_sub = {item.sub: item for item in items if item.sub in (layout.SUB_NAME, layout.SUB_CONTROL)}
    name_item = by_sub.get(layout.SUB_NAME)
    netlink = name_item is not None and is_netlink(name_item.data, view.netlink())
    pieces = [item for item in items if item.kind != layout.KIND_MSG and item.sub < layout.SUB_NAME]
    show = (lambda item, base, meant: _netlink(item, base, meant, view)) if netlink else None
    parts = [
        f"{{msg_name={_name(name, name_item, name_length if room is None else min(room, name_length), options)}",
        f"msg_namelen={changed}{_signed(name_length)}",
        f"msg_iov={vector(pieces, iov, iov_count, view, received=received, show=show)}",
        f"msg_iovlen={iov_count}",
    ]
    if control_length:
        item = by_sub.get(layout.SUB_CONTROL)
        parts.append(f"msg_control={_controls(control, item, view, received=received is not None)}")
    return f"{', '.join(parts)}, msg_controllen={control_length}, msg_flags={_FLAGS.flags(flags, options)}}}"


def _netlink(item: Item | None, base: int, meant: int, view: View) -> str:
    memory = memory_of(item, base, view, meant) if item is not None else Memory(b"", base, unreadable=False, view=view)
    return messages(memory, meant, view.netlink())


def _signed(number: int) -> int:
    return (number & 0x7FFFFFFF) - (number & 0x80000000)


def _name(pointer: int, item: Item | None, length: int, options: Options) -> str:
    text = sockaddr(item.data[:length], options) if item is not None and _signed(length) > 0 else None
    return text or address(pointer)


def _controls(pointer: int, item: Item | None, view: View, *, received: bool) -> str:
    head, align = (_CONTROL_32, 3) if view.call.compat else (_CONTROL, 7)
    if item is None or len(item.data) < head.size or item.fault:
        return address(pointer)
    shown, at, left = list[str](), 0, item.size
    while left >= head.size and at + head.size <= len(item.data):
        length, level, kind = head.unpack_from(item.data, at)
        data = item.data[at + head.size : at + max(min(length, left), head.size)]
        text = _control_text(level, kind, data, view, received=received)
        shown.append(f"{{cmsg_len={length}, cmsg_level={_LEVELS.one(level, view.options)}, cmsg_type={text}}}")
        if length < head.size:
            left -= head.size
            break
        step = min((length + align) & ~align, left)
        at, left = at + step, left - step
    if left and not item.more:  # too few for a header, or after a header with a length that is none
        shown.append(f"... /* {address(pointer + item.size - left)} */")
    elif item.more:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def _control_text(level: int, kind: int, data: bytes, view: View, *, received: bool) -> str:
    if level not in _TYPES:
        return f"{kind:#x}" if kind else "0"
    table, printers = _TYPES[level]
    options = view.options
    name = table.one(kind, options)
    if table.names.get(kind) == "SCM_RIGHTS" and not received:
        shown = _listed(data, 4, lambda each: view.fd(int.from_bytes(each, "little", signed=True)), options)
        return name if shown is None else f"{name}, cmsg_data={shown}"
    if view.call.compat and level == _SOL_SOCKET and table.names.get(kind) in _OLD_TIMES:
        data = _wider(data)
    printed = printers[table.names[kind]](data, options) if data and table.names.get(kind) in printers else None
    return name if printed is None else f"{name}, cmsg_data={printed}"


def _wider(data: bytes) -> bytes:
    # The 32-bit numbers of a 32-bit program's times as 64-bit ones.
    numbers = (data[at : at + 4] for at in range(0, len(data) - 3, 4))
    return b"".join(int.from_bytes(each, "little", signed=True).to_bytes(8, "little", signed=True) for each in numbers)


def _listed(data: bytes, width: int, show: Callable[[bytes], str], options: Options) -> str | None:
    # Complete elements, no more than -s says.
    whole = len(data) // width
    most = whole if options.verbose else min(whole, options.string_max)
    shown = [show(data[at : at + width]) for at in range(0, most * width, width)] + ["..."] * (most < whole)
    return f"[{', '.join(shown)}]" if whole else None


def _ints(data: bytes, options: Options) -> str | None:
    return _listed(data, 4, lambda each: str(int.from_bytes(each, "little", signed=True)), options)


def _unsigned(data: bytes, options: Options) -> str | None:
    return _listed(data, 4, lambda each: str(int.from_bytes(each, "little")), options)


def credentials(data: bytes, _options: Options) -> str | None:
    """Returns struct ucred as text."""
    if len(data) < _CREDENTIALS.size:
        return None
    pid, uid, gid = _CREDENTIALS.unpack_from(data)
    return f"{{pid={_signed(pid)}, uid={user(uid)}, gid={user(gid)}}}"


def _bytes(data: bytes, options: Options) -> str | None:
    return _listed(data, 1, lambda each: f"{each[0]:#x}" if each[0] else "0", options)


def _text(data: bytes, options: Options) -> str:
    return quote(data, escape=options.escape)


def _times(fraction: str) -> Callable[[bytes, Options], str]:
    def print_times(data: bytes, _options: Options) -> str:
        if len(data) < _SECONDS.size:
            return "???"
        seconds, rest = _SECONDS.unpack_from(data)
        return f"{{tv_sec={seconds}, {fraction}={rest}}}"

    return print_times


def _stamping(data: bytes, options: Options) -> str:
    one = _times("tv_nsec")
    size = _SECONDS.size
    if len(data) < 3 * size:
        return "???"
    return f"[{', '.join(one(data[n * size : (n + 1) * size], options) for n in range(3))}]"


def _packet_info(data: bytes, options: Options) -> str | None:
    if len(data) < _PACKET_INFO.size:
        return None
    index, source, destination = _PACKET_INFO.unpack_from(data)
    return (
        f"{{ipi_ifindex={interface(index, options)}, ipi_spec_dst={inet_addr(source, options)}, "
        f"ipi_addr={inet_addr(destination, options)}}}"
    )


def _error(data: bytes, options: Options) -> str | None:
    if len(data) < _EXTENDED_ERROR.size + 16:
        return None
    number, origin, kind, code, _, info, more = _EXTENDED_ERROR.unpack_from(data)
    origins = XLATS["error_origins"]
    offender = sockaddr(data[_EXTENDED_ERROR.size :], options)
    return (
        f"{{ee_errno={number}, ee_origin={origins.names.get(origin, origin)}, ee_type={kind}, ee_code={code}, "
        f"ee_info={info}, ee_data={more}, offender={offender}}}"
    )


def _address(data: bytes, options: Options) -> str | None:
    return sockaddr(data, options) if len(data) >= 16 else None


_Printers = dict[str, Callable[[bytes, Options], str | None]]
_SOCKET_PRINTERS: Final[_Printers] = {
    "SCM_RIGHTS": _ints,
    "SCM_CREDENTIALS": credentials,
    "SCM_SECURITY": _text,
    "SCM_PIDFD": _ints,
    "SO_TIMESTAMP_OLD": _times("tv_usec"),
    "SO_TIMESTAMP_NEW": _times("tv_usec"),
    "SO_TIMESTAMPNS_OLD": _times("tv_nsec"),
    "SO_TIMESTAMPNS_NEW": _times("tv_nsec"),
    "SO_TIMESTAMPING_OLD": _stamping,
    "SO_TIMESTAMPING_NEW": _stamping,
}
_OLD_TIMES: Final = frozenset(("SO_TIMESTAMP_OLD", "SO_TIMESTAMPNS_OLD", "SO_TIMESTAMPING_OLD"))
_IP_PRINTERS: Final[_Printers] = {
    "IP_TOS": _bytes,
    "IP_TTL": _unsigned,
    "SCM_SECURITY": _text,
    "IP_RECVOPTS": _bytes,
    "IP_RETOPTS": _bytes,
    "IP_PKTINFO": _packet_info,
    "IP_RECVERR": _error,
    "IP_ORIGDSTADDR": _address,
    "IP_CHECKSUM": _unsigned,
}
_TYPES: Final = {
    _SOL_SOCKET: (XLATS["scm_types"], _SOCKET_PRINTERS),
    _SOL_IP: (XLATS["ip_messages"], _IP_PRINTERS),
}
"""Level -> the names of its types, and the printers of their data."""
