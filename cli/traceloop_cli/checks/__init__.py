# SPDX-License-Identifier: Apache-2.0
"""The doctor's checks: whether a machine records its containers, and what prevents it. They change nothing.

Each module checks one subject. Only `selftest` acts on the machine, and undoes that.
"""

from __future__ import annotations

from collections.abc import Iterator

from traceloop_cli.checks import (
    access,
    confinement,
    hooks,
    kernel,
    losses,
    reasons,
    recorder,
    selftest,
    service,
    shipping,
    storage,
)
from traceloop_cli.checks.model import Machine
from traceloop_cli.findings import Finding, Level


def findings(machine: Machine, *, self_test: bool) -> Iterator[Finding]:
    """Yields the findings of all checks, each as soon as it is known."""
    yield from kernel.findings(machine)
    yield from recorder.findings(machine)
    answers = True
    for finding in service.findings(machine):
        answers &= finding.level is not Level.ERROR
        yield finding
    for check in (access, storage, hooks, confinement):
        yield from check.findings(machine)
    if answers:
        yield from losses.findings(machine)
        yield from reasons.findings(machine)
        yield from shipping.findings(machine)
    if self_test and answers:
        yield from selftest.findings(machine)
    elif self_test:  # the hook's message would start a daemon that someone stopped
        yield Finding(selftest.AREA, Level.UNKNOWN, "not tried: the daemon does not answer")
