# SPDX-License-Identifier: Apache-2.0
"""A wait status is split in the same way as by the system's own functions."""

import os

import pytest

from traceloop_decode.wait_status import wait_status


@pytest.mark.parametrize(
    "status", [*range(0, 0x10000, 0x100), *range(1, 65), *(number | 0x80 for number in range(1, 65))]
)
def test_a_status_is_split_as_the_system_does(status) -> None:
    code, signal, core_dumped = wait_status(status)
    assert code == (os.WEXITSTATUS(status) if os.WIFEXITED(status) else None)
    assert signal == (os.WTERMSIG(status) if os.WIFSIGNALED(status) else None)
    assert core_dumped is os.WCOREDUMP(status)


def test_a_status_that_is_not_known_has_neither() -> None:
    assert wait_status(None) == (None, None, False)
