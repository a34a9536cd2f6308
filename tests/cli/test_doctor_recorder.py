# SPDX-License-Identifier: Apache-2.0
"""The doctor's judgement of a trial of the recorder."""

from __future__ import annotations

from traceloop_cli.checks.recorder import judged
from traceloop_cli.findings import Level

LOADED = {"bcc": True, "took_s": 2.0, "io_uring": True, "capabilities": True}


def test_a_recorder_that_loads() -> None:
    (found,) = judged(LOADED)
    assert (found.level, found.what) == (Level.OK, "BCC compiles it and the kernel loads it, in 2.0 s")


def test_a_kernel_that_does_not_tell_of_requests() -> None:
    _, found = judged({**LOADED, "io_uring": False})
    assert (found.level, found.what) == (Level.WARNING, "this kernel does not tell of io_uring requests")
    assert "io_uring_disabled" in found.remedy


def test_a_kernel_that_does_not_tell_of_capabilities() -> None:
    _, found = judged({**LOADED, "capabilities": False})
    assert (found.level, found.what) == (
        Level.OK,
        "this kernel does not tell which capabilities are asked for: Linux 6.14 and later do",
    )


def test_a_recorder_that_does_not_load() -> None:
    (found,) = judged({"bcc": True, "took_s": 2.0, "error": "one\ntwo"})
    assert (found.level, found.what) == (Level.ERROR, "the recorder cannot be loaded: one; two")
    (found,) = judged({"bcc": False, "took_s": 0.0})
    assert found.level is Level.ERROR
