# SPDX-License-Identifier: Apache-2.0
"""Installs the project in the lab's systemd, at the places where packages put it."""

from __future__ import annotations

from lab.systemd import PROJECT, Systemd

HOOK = "/usr/libexec/oci/hooks.d/traceloop-hook"
_LAUNCHER = """#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/usr/lib/traceloop")

from {}.main import main

main()
"""
_COPY = r"""
cd "$0"
mkdir -p /usr/lib/traceloop /usr/libexec/oci/hooks.d /usr/lib/systemd/catalog /usr/lib/sysusers.d /usr/lib/tmpfiles.d
cp -r bpf/traceloop_bpf decode/traceloop_decode proto/traceloop_proto daemon/traceloop_daemon cli/traceloop_cli \
    /usr/lib/traceloop
install -m 755 hook/traceloop_hook/traceloop-hook /usr/libexec/oci/hooks.d
install -m 644 systemd/*.service systemd/*.socket /usr/lib/systemd/system
install -m 644 systemd/traceloop.sysusers /usr/lib/sysusers.d/traceloop.conf
install -m 644 systemd/traceloop.tmpfiles /usr/lib/tmpfiles.d/traceloop.conf
install -m 644 systemd/traceloop.catalog /usr/lib/systemd/catalog/traceloop.catalog
"""


def install(lab: Systemd) -> None:
    """Copies all, and does what a package does after that; starts nothing."""
    lab.run("sh", "-euc", _COPY, PROJECT)
    lab.write("/usr/sbin/traceloopd", _LAUNCHER.format("traceloop_daemon"), mode=0o755)
    lab.write("/usr/bin/traceloopctl", _LAUNCHER.format("traceloop_cli"), mode=0o755)
    lab.run("systemd-sysusers")
    lab.run("systemd-tmpfiles", "--create", "traceloop.conf")
    lab.run("journalctl", "--update-catalog")
    lab.run("systemctl", "daemon-reload")
