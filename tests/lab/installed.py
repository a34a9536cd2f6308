# SPDX-License-Identifier: Apache-2.0
"""Installs the project in the lab's systemd, in the places where packages install it."""

from __future__ import annotations

from lab.systemd import PROJECT, Systemd

# One user who may query the daemon, and one who may not
USERS = "u member -\nm member traceloop\nu stranger -\n"
HOOK = "/usr/libexec/oci/hooks.d/traceloop-hook"


_BRING_COMPILED = """
[ ! -d "$0" ] || cp -r "$0" /var/cache/traceloop
[ ! -d "$0" ] || chown -R traceloop:traceloop /var/cache/traceloop
"""


def install(lab: Systemd, *, compiled: bool = True) -> None:
    """Installs everything, manual pages only if built, and does a package's post-installation work; starts nothing.

    compiled: also brings the programs that other tests have compiled, as if the daemon had been started before.
    """
    lab.run("sh", "-euc", 'cd "$0" && PREFIX=/usr COMPILE=no packaging/install.sh install', PROJECT)
    lab.run("systemd-sysusers")
    lab.run("systemd-tmpfiles", "--create", "traceloop.conf")
    if compiled:
        lab.run("sh", "-euc", _BRING_COMPILED, PROJECT / "build/compiled")
    lab.run("journalctl", "--update-catalog")
    lab.run("systemctl", "daemon-reload")


def add_users(lab: Systemd) -> None:
    """Adds USERS to an installed system."""
    lab.write("/etc/sysusers.d/test.conf", USERS)
    lab.run("systemd-sysusers")
