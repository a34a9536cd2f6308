# SPDX-License-Identifier: Apache-2.0
"""Installs the project in the lab's systemd, at the places where packages put it."""

from __future__ import annotations

from lab.systemd import PROJECT, Systemd

# Who may ask the daemon, and who may not.
USERS = "u member -\nm member traceloop\nu stranger -\n"
HOOK = "/usr/libexec/oci/hooks.d/traceloop-hook"


def install(lab: Systemd) -> None:
    """Copies all but the manual pages, if they are not made, and does what a package does after that; starts nothing."""
    lab.run("sh", "-euc", 'cd "$0" && PREFIX=/usr COMPILE=no packaging/install.sh install', PROJECT)
    lab.run("systemd-sysusers")
    lab.run("systemd-tmpfiles", "--create", "traceloop.conf")
    lab.run("journalctl", "--update-catalog")
    lab.run("systemctl", "daemon-reload")


def add_users(lab: Systemd) -> None:
    """USERS, where it is installed."""
    lab.write("/etc/sysusers.d/test.conf", USERS)
    lab.run("systemd-sysusers")
