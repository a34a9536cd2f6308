# SPDX-License-Identifier: Apache-2.0
"""The doctor's checks: whether containers are recorded on a machine, and what is in the way. They change nothing.

One module for each thing that is looked at; `selftest` is the one that does something, and undoes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from traceloop_cli.checks import access, confinement, hooks, kernel, losses, recorder, selftest, service, storage
from traceloop_cli.checks.model import Machine
from traceloop_cli.findings import Finding, Level


def findings(machine: Machine, *, self_test: bool) -> Iterator[Finding]:
    """What is right and what is not, as it is found."""
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
    if self_test and answers:
        yield from selftest.findings(machine)
    elif self_test:  # a hook would start a daemon that was stopped
        yield Finding(selftest.AREA, Level.UNKNOWN, "not tried: the daemon does not answer")
