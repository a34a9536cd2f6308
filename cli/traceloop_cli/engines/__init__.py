# SPDX-License-Identifier: Apache-2.0
"""The container engines of a host: how each is told to run the hook, and whether it does.

One module an engine; `wiring` makes and undoes the changes that an engine plans, and `findings` is what there is to be
said of all of them.
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
    """The engines that are there, and their versions. One that does not tell it has the version "?"."""
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
    """What is right and what is not, of each engine that is installed. It changes nothing."""
    for name in installed(host):
        try:
            yield from ENGINES[name].findings(host)
        except Failed as error:
            why = "whether its containers are recorded cannot be said"
            yield Finding(name, Level.WARNING, str(error), why, f"mend that, then traceloopctl engine enable {name}")
