# SPDX-License-Identifier: Apache-2.0
"""Connections that failed, and addresses that could not be had."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.rules.rule import Rule, words
from traceloop_decode.causes.story import Story

_CONNECT: Final = words("connect")
_BIND: Final = words("bind listen")
_TRANSFERS: Final = words("read write readv writev send recv sendto recvfrom sendmsg recvmsg sendmmsg")


def _privileged(failure: Failure, _story: Story) -> bool:
    port = failure.peer.rpartition(":")[2]
    return port.isdecimal() and int(port) < 1024


def _at_resolver(failure: Failure, _story: Story) -> bool:
    return failure.peer.endswith(":53")


def _local(failure: Failure, _story: Story) -> bool:
    return failure.peer.startswith(("/", "@"))


RULES: Final = (
    Rule("", None, words("ECONNREFUSED EHOSTUNREACH ENETUNREACH ETIMEDOUT"), 0, "", fits=_at_resolver),  # see `lookups`
    Rule(
        "address-in-use",
        _BIND,
        words("EADDRINUSE"),
        95,
        "{who} could not listen on {peer}: the address is in use{holder}.",
    ),
    Rule(
        "port-privileged",
        _BIND,
        words("EACCES"),
        92,
        "{who} may not listen on {peer}: ports below 1024 need the capability CAP_NET_BIND_SERVICE.",
        fits=_privileged,
    ),
    Rule(
        "address-missing",
        _BIND,
        words("EADDRNOTAVAIL"),
        92,
        "{who} could not listen on {peer}: this machine has no such address.",
    ),
    Rule("listen-failed", _BIND, None, 80, "{who} could not listen on {peer}: {error}."),
    Rule(
        "ports-used-up",
        _CONNECT,
        words("EADDRNOTAVAIL"),
        90,
        "{who} could not connect to {peer}: no local port is left (too many connections to it at once).",
    ),
    Rule(
        "socket-missing",
        _CONNECT,
        words("ENOENT ECONNREFUSED EACCES"),
        45,
        "{who} could not connect to the socket {peer}: {error}.",
        fits=_local,
    ),
    Rule(
        "connection-refused",
        _CONNECT,
        words("ECONNREFUSED"),
        80,
        "{who} could not connect to {peer}: connection refused{times}.",
    ),
    Rule(
        "connection-timeout", _CONNECT, words("ETIMEDOUT"), 80, "{who} could not connect to {peer}: no answer{times}."
    ),
    Rule(
        "host-unreachable",
        _CONNECT,
        words("EHOSTUNREACH ENETUNREACH"),
        70,
        "{who} could not reach {peer}: {error}{times}.",
    ),
    Rule("connection-failed", _CONNECT, None, 60, "{who} could not connect to {peer}: {error}{times}."),
    Rule(
        "connection-lost",
        _TRANSFERS,
        words("ECONNRESET EPIPE ETIMEDOUT EHOSTUNREACH ECONNREFUSED"),
        50,
        "{who} lost its connection to {subject}: {error}{times}.",
    ),
)
