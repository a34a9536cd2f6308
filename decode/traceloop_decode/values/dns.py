# SPDX-License-Identifier: Apache-2.0
"""Messages of the Domain Name System (RFC 1035), from their first bytes: what was asked, and what was answered.

The recorder keeps the first bytes of a buffer, so an answer may end anywhere. What is no such message is None.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final, NamedTuple

# The names are those of IANA's registry "Domain Name System (DNS) Parameters".
_CODES: Final = (
    *("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"),
    *("YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"),
)
_KINDS: Final = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    35: "NAPTR",
    39: "DNAME",
    43: "DS",
    46: "RRSIG",
    48: "DNSKEY",
    64: "SVCB",
    65: "HTTPS",
    255: "ANY",
    257: "CAA",
}
_A, _AAAA = 1, 28
_NAMES: Final = frozenset((2, 5, 12, 39))  # kinds whose data is a name
_HEAD: Final = Struct(">6H")  # id, flags, and how many questions, answers, authorities, additions
_QUESTION: Final = Struct(">HH")  # kind, class
_RECORD: Final = Struct(">HHIH")  # kind, class, time to live, bytes of data
_ANSWER, _OPCODE, _TRUNCATED, _CODE = 0x8000, 0x7800, 0x0200, 0x000F
_INTERNET: Final = 1
_LABEL_MAX, _NAME_MAX, _POINTER = 63, 255, 0xC0
_RECORDS_MAX: Final = 32


class Question(NamedTuple):
    """kind: ``AAAA``, or ``TYPE99``."""

    name: str
    kind: str


class Record(NamedTuple):
    """A record of an answer. data: an address or a name; "" for other kinds."""

    name: str
    kind: str
    ttl_s: int
    data: str


class Message(NamedTuple):
    """code: of an answer, ``NXDOMAIN``; "" for a query. cut: not all of it was there to be read."""

    ident: int
    code: str
    question: Question
    records: tuple[Record, ...]
    cut: bool


def parsed(data: bytes) -> Message | None:
    """Returns the message in these bytes, a query of the Internet's names with one question, or its answer; or None."""
    if len(data) < _HEAD.size:
        return None
    ident, flags, questions, answers, *_ = _HEAD.unpack_from(data)
    is_answer = bool(flags & _ANSWER)
    if flags & _OPCODE or questions != 1 or (answers and not is_answer):
        return None
    found = _name(data, _HEAD.size)
    if found is None or found[1] + _QUESTION.size > len(data):
        return None
    name, at = found
    kind, family = _QUESTION.unpack_from(data, at)
    if family & 0x7FFF != _INTERNET:
        return None
    records = _records(data, at + _QUESTION.size, answers)
    code = flags & _CODE
    word = _CODES[code] if code < len(_CODES) else f"RCODE{code}"
    cut = len(records) < answers or bool(flags & _TRUNCATED)
    return Message(ident, word if is_answer else "", Question(name, _kind(kind)), records, cut)


def text(message: Message) -> str:
    """``dns query A db.internal``, ``dns answer NOERROR A db.internal: A 10.0.0.7``."""
    asked = f"{message.question.kind} {message.question.name}"
    if not message.code:
        return f"dns query {asked}"
    told = [" ".join(filter(None, (record.kind, record.data))) for record in message.records]
    told += ["..."] * message.cut
    return f"dns answer {message.code} {asked}{': ' if told else ''}{', '.join(told)}"


def _kind(number: int) -> str:
    return _KINDS.get(number, f"TYPE{number}")  # RFC 3597


def _records(data: bytes, at: int, count: int) -> tuple[Record, ...]:
    records: list[Record] = []
    for _ in range(min(count, _RECORDS_MAX)):
        found = _name(data, at)
        if found is None or found[1] + _RECORD.size > len(data):
            break
        name, at = found
        kind, _, ttl_s, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + size > len(data):
            break
        records.append(Record(name, _kind(kind), ttl_s, _data(data, at, kind, size)))
        at += size
    return tuple(records)


def _data(data: bytes, at: int, kind: int, size: int) -> str:
    if kind == _A and size == 4:
        return str(IPv4Address(data[at : at + size]))
    if kind == _AAAA and size == 16:
        return str(IPv6Address(data[at : at + size]))
    found = _name(data, at) if kind in _NAMES else None
    return found[0] if found is not None else ""


def _name(data: bytes, at: int) -> tuple[str, int] | None:
    # The name at an offset, and what comes behind it. A pointer leads to what stands before it, so there is an end.
    labels: list[bytes] = []
    end, size, before = 0, 0, at
    while at < len(data):
        length = data[at]
        if length >= _POINTER:
            target = int.from_bytes(data[at : at + 2]) & 0x3FFF
            if at + 2 > len(data) or target >= before:
                return None
            end = end or at + 2
            at = before = target
            continue
        label = data[at + 1 : at + 1 + length]
        if length > _LABEL_MAX or len(label) < length:
            return None
        at += 1 + length
        size += 1 + length
        if size > _NAME_MAX:
            return None
        if not length:
            return ".".join(map(_label, labels)) or ".", end or at
        labels.append(label)
    return None


def _label(label: bytes) -> str:
    # As zone files have it (RFC 1035, 5.1).
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte not in b'."\\{}' else f"\\{byte:03}" for byte in label)
