# SPDX-License-Identifier: Apache-2.0
"""Addresses of daemons, and of stores of archived traces::

unix:PATH                      the socket of a daemon on this machine
ssh:[USER@]HOST[/PATH]         the same on another machine; several are separated by commas
    archive:REMOTE:PREFIX          a store that rclone reads
    kube:NAMESPACE[/NODE][ FLAG]   the nodes of a Kubernetes cluster, by their relays in a namespace; or one node. Each
                                   FLAG is kubectl's, such as --context=prod, or limits what is listed:
                                   --pods-in=NAMESPACE, --pods-with=LABELS. Relays for requests that change something
                                   are in the namespace NAMESPACE-control
"""

from __future__ import annotations

import os.path
import re
import shlex
from dataclasses import dataclass, replace
from typing import Final

DEFAULT_PATH: Final = "/run/traceloop/traceloop.sock"
CONTROL: Final = "control.sock"
_UNIX: Final = "unix:"
_SSH: Final = "ssh:"
_KUBE: Final = "kube:"
_PODS_IN: Final = "--pods-in="
_PODS_WITH: Final = "--pods-with="
_PATH: Final = "--path="
_CONTROL_SUFFIX: Final = "-control"
_ARCHIVE: Final = "archive:"
_HOST: Final = re.compile(r"[^-\s,/][^\s,/]*")  # ssh would take a leading - for an option
_STORE: Final = re.compile(r":?[^-:\s][^:]*:.*")  # rclone would take a leading - for an option
_FORMS: Final = "unix:PATH or ssh:[USER@]HOST"


@dataclass(frozen=True, slots=True)
class Local:
    """A socket on this machine."""

    path: str


@dataclass(frozen=True, slots=True)
class Remote:
    """A socket on another machine. host: as ssh takes it."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{_SSH}{self.host}{self.path}"


@dataclass(frozen=True, slots=True)
class Store:
    """A store of archived traces. place: REMOTE:PREFIX, as rclone takes it."""

    place: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """The nodes of a cluster. namespace: of their relays. node: the only one to ask; empty: all. flags: of kubectl.

    path: the daemon's socket. pods_in, pods_with: only traces of a namespace, and of pods with these labels; all if
    empty.
    """

    namespace: str
    node: str
    flags: tuple[str, ...]
    pods_in: str = ""
    pods_with: str = ""
    path: str = DEFAULT_PATH

    def holds(self, node: str) -> bool:
        """Returns whether a node is to be asked."""
        return self.node in ("", node)

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.node}" if self.node else self.namespace
        path = "" if self.path == DEFAULT_PATH else self.path
        own = ((_PODS_IN, self.pods_in), (_PODS_WITH, self.pods_with), (_PATH, path))
        return _KUBE + shlex.join((place, *self.flags, *(name + value for name, value in own if value)))


def parsed(address: str) -> Local | Store | Cluster | tuple[Remote, ...]:
    """Returns what an address stands for. Raises ValueError."""
    if address.startswith(_SSH):
        return tuple(_remote(part) for part in address.split(","))
    if address.startswith(_ARCHIVE):
        place = address.removeprefix(_ARCHIVE)
        if not _STORE.fullmatch(place):
            raise ValueError(f"{place!r} is not of the form REMOTE:PREFIX")
        return Store(place)
    if address.startswith(_KUBE):
        place, *flags = shlex.split(address.removeprefix(_KUBE)) or ("",)
        namespace, _, node = place.partition("/")
        if not namespace or not all(flag.startswith("--") for flag in flags):
            raise ValueError(f"{address!r} is not of the form kube:NAMESPACE[/NODE] [--FLAG...]")
        named = (_PODS_IN, _PODS_WITH, _PATH)
        own = [next((flag for flag in flags if flag.startswith(name)), name) for name in named]
        pods_in, pods_with, path = (flag.partition("=")[2] for flag in own)
        others = tuple(flag for flag in flags if flag not in own)
        return Cluster(namespace, node, others, pods_in, pods_with, path or DEFAULT_PATH)
    return Local(socket_path(address))


def socket_path(address: str) -> str:
    """Returns the path in ``unix:PATH`` or ``unix:///PATH``. Raises ValueError for anything else."""
    path = address.removeprefix(_UNIX)
    if path == address or not path:
        raise ValueError(f"{address!r} is not of the form {_FORMS}")
    return path.removeprefix("//") if path.startswith("///") else path


def of_hosts(hosts: list[str], address: str) -> str:
    """Returns the address of the same socket on other machines. Raises ValueError."""
    path = os.path.abspath(socket_path(address))  # noqa: PTH100 - text alone: the path is of another machine
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is not of the form [USER@]HOST")
    return ",".join(str(Remote(host, path)) for host in dict.fromkeys(hosts))


def of_store(place: str) -> str:
    """Returns the address of a store. Raises ValueError."""
    address = _ARCHIVE + place
    parsed(address)
    return address


def moved(address: str, base: str | None) -> str:
    """Returns `address`, on the machines of `base` if that is on others and `address` is local. Raises ValueError."""
    where = parsed(address)
    remotes = parsed(base) if base is not None else ()
    if isinstance(where, Local) and isinstance(remotes, tuple) and remotes:
        return of_hosts([one.host for one in remotes], address)
    return address


def control_address(address: str) -> str:
    """Returns the address for requests that change something: a socket for root alone, in the same directory."""
    where = parsed(address)
    if isinstance(where, tuple):
        return ",".join(str(replace(one, path=_control(one.path))) for one in where)
    if isinstance(where, Cluster):
        return str(replace(where, namespace=where.namespace + _CONTROL_SUFFIX, path=_control(where.path)))
    return _UNIX + _control(where.path) if isinstance(where, Local) else address


def _control(path: str) -> str:
    return os.path.join(os.path.dirname(path), CONTROL)  # noqa: PTH118, PTH120 - as it is given


def _remote(part: str) -> Remote:
    text = part.removeprefix(_SSH)
    host, slash, path = text.partition("/")
    if text == part or not _HOST.fullmatch(host):
        raise ValueError(f"{part!r} is not of the form ssh:[USER@]HOST[/PATH]")
    return Remote(host, slash + path if slash else DEFAULT_PATH)
