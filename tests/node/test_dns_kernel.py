# SPDX-License-Identifier: Apache-2.0
"""DNS messages of the machine's own resolver, which asks a name server in a network namespace of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from recorded_cgroups import Container

from traceloop_decode.descriptors.follow import protocols
from traceloop_decode.text import short
from traceloop_decode.values.options import Options

pytestmark = pytest.mark.kernel

PROGRAM = """
import fcntl, socket, struct, subprocess, sys, threading

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))

def answer():
    while True:
        query, client = server.recvfrom(512)
        no_such_name = query[:2] + b"\\x81\\x83" + query[4:6] + bytes(6) + query[12:]
        server.sendto(no_such_name, client)

threading.Thread(target=answer, daemon=True).start()
subprocess.run(["getent", "hosts", "db.internal"])
"""


def test_what_a_resolver_asks_and_is_told(container: Container, tmp_path: Path) -> None:
    """A query and its answer are shown decoded, with the answer's code."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    container.run("unshare", "-nm", sys.executable, "-c", PROGRAM, str(tmp_path / "resolv.conf"))
    lines = list(
        short.lines(protocols(container.events(), dns=True), container.snapshot(), Options(string_max=256, dns=True))
    )
    asked, answered = (
        [line for line in lines if "[getent]" in line and call in line and "dns " in line]
        for call in ("sendto(", "recvfrom(")
    )
    # getent asks for both kinds of addresses.
    for lines, what in (
        (asked, "buff={dns query KIND db.internal}"),
        (answered, "ubuf={dns answer NXDOMAIN KIND db.internal}"),
    ):
        assert len(lines) == 2
        assert all(what.replace("KIND", kind) in line for kind, line in zip(("AAAA", "A"), lines, strict=True))
