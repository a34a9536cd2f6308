# SPDX-License-Identifier: Apache-2.0
"""The container engines of a host: how to make each run the hook, and whether it does.

Each engine has a module that plans changes; `wiring` makes and undoes them, and `findings` examines all engines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceloop_cli.engines.containerd import Containerd
from traceloop_cli.engines.crio import Crio
from traceloop_cli.engines.docker import Docker
from traceloop_cli.engines.flagged import Flagged
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Engine
from traceloop_cli.engines.podman import Podman
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding, Level

ENGINES: Final[dict[str, Engine]] = {
    engine.name: engine
    for engine in (
        Podman(),
        Crio(),
        Containerd(),
        Docker(),
        Flagged("nerdctl", "--runtime"),
        Flagged("ctr", "--runc-binary"),
    )
}


def installed(host: Host) -> dict[str, str]:
    """Returns the installed engines and their versions, "?" for an engine that does not tell its version."""
    found = {}
    for name, engine in ENGINES.items():
        try:
            version = engine.version(host)
        except Failed:
            version = "?"
        if version is not None:
            found[name] = version
    return found


def findings(host: Host) -> Iterator[Finding]:
    """Yields the findings of each installed engine. Changes nothing."""
    for name in installed(host):
        try:
            yield from ENGINES[name].findings(host)
        except Failed as error:
            why = "whether its containers are recorded is not known"
            yield Finding(name, Level.WARNING, str(error), why, f"fix that, then traceloopctl engine enable {name}")
