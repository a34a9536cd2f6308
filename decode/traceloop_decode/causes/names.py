# SPDX-License-Identifier: Apache-2.0
"""Names of hosts: which address each stands for, by what name servers answered and what /etc/hosts said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from struct import Struct
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.report import Evidence
from traceloop_decode.model import Call
from traceloop_decode.printers import network_dns
from traceloop_decode.printers.view import View
from traceloop_decode.values.options import Options

_OPTIONS: Final = Options()
_NAMES_MAX: Final = 4096
_HOSTS: Final = "/etc/hosts"
_PORT: Final = re.compile(r"\[?(.*?)\]?:(\d+)")
_POLLED: Final = Struct("<iHH")  # struct pollfd of poll(2)
_POLLERR: Final = 8
_ADDRESSES: Final = ("A", "AAAA")
_FOUND: Final = "NOERROR"


@dataclass(slots=True)
class Lookup:
    """A question to a name server. asked: how often. code: of the last answer that found nothing, "" if there was none.

    refused: the socket to the server reported an error. cut: an answer that was not read as a whole.
    """

    name: str
    server: str
    first: Evidence
    asked: int = 1
    code: str = ""
    answered: bool = False
    found: bool = False
    refused: bool = False
    cut: bool = False


class Names:
    """The known names of addresses, and the questions to name servers."""

    def __init__(self) -> None:
        self._of_address: dict[str, str] = {}
        self.lookups: dict[str, Lookup] = {}

    def message(self, call: Call) -> None:
        """Observes a call that sent or received data, which may be a DNS message."""
        view = View(call, _OPTIONS)
        for message in network_dns.messages(view):
            name = message.question.name
            if message.question.kind not in _ADDRESSES:
                continue
            if not message.code:
                self._asked(name, call)
                continue
            lookup = self.lookups.get(name)
            addresses = [record for record in message.records if record.kind in _ADDRESSES]
            for record in addresses:
                self._learn(record.data, name)
            if lookup is not None:
                lookup.answered = True
                lookup.found = lookup.found or bool(addresses)
                if message.cut and message.code == _FOUND:
                    lookup.cut = True  # what it found is not known
                elif not addresses:
                    lookup.code = message.code

    def polled(self, call: Call) -> None:
        """Observes a poll: an error of the socket to a name server is one that the machine of that address sent."""
        if not self.lookups or call.files is None:
            return
        data = next((item.data for item in call.items.get(0, ()) if item.out), b"")
        for fd, _, happened in _POLLED.iter_unpack(data[: len(data) // _POLLED.size * _POLLED.size]):
            known = call.files.before.get(fd) if happened & _POLLERR else None
            server = known.socket.remote if known is not None and known.socket is not None else ""
            if not server:
                continue
            for lookup in self.lookups.values():
                lookup.refused = lookup.refused or (lookup.server == server and not lookup.answered)

    def read(self, call: Call, path: str) -> None:
        """Observes a read of /etc/hosts."""
        if path != _HOSTS:
            return
        data = next((item.data for item in call.items.get(1, ()) if item.out), b"")
        for line in data.decode("utf-8", "replace").splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if names and _is_address(address):
                self._learn(address, names[0])

    def name_of(self, peer: str) -> str:
        """Returns the name that an address with a port was found by; "" if none is known."""
        found = _PORT.fullmatch(peer)
        return self._of_address.get(found[1].removeprefix("::ffff:"), "") if found else ""

    def named(self, peer: str) -> str:
        """Returns an address and port with the name that it was found by: ``db.internal:5432 (10.0.0.5:5432)``."""
        name = self.name_of(peer)
        return f"{name}:{peer.rpartition(':')[2]} ({peer})" if name else peer

    def _asked(self, name: str, call: Call) -> None:
        if name in self.lookups:
            self.lookups[name].asked += 1
        elif len(self.lookups) < _NAMES_MAX:
            self.lookups[name] = Lookup(name, subject.peer(call), subject.evidence(call))

    def _learn(self, address: str, name: str) -> None:
        if len(self._of_address) < _NAMES_MAX:
            self._of_address.setdefault(address, name)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
