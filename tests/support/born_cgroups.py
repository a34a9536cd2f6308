# SPDX-License-Identifier: Apache-2.0
"""Cgroups that are made under names of containers, and the recordings that the kernel side begins with them."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from recorded_cgroups import TIMEOUT_S, Container, cgroup2_mount

from traceloop_bpf.births import Birth, Births, Shape
from traceloop_bpf.tracer import Tracer


def new_id() -> str:
    """Returns an id as engines make them."""
    return os.urandom(32).hex()


class Newborn(Container):
    """A cgroup that a test makes under a name of its own; `claim` finds the recording that began with it."""

    def __init__(self, tracer: Tracer, name: str, above: Path | None = None) -> None:
        mount = cgroup2_mount()
        assert mount is not None
        self._tracer, self._given_back = tracer, True
        self.path = (above or mount) / name
        self.path.mkdir()
        self.id = self.path.stat().st_ino

    def claim(self, birth: Birth) -> None:
        """Takes over the recording of a birth, which must be this cgroup's."""
        assert birth.id == self.id
        recording = self._tracer.born(birth)
        assert recording is not None
        self.recording, self._given_back = recording, False


@contextmanager
def recognised(tracer: Tracer, shapes: Sequence[Shape]) -> Iterator[Births]:
    """Recognises these shapes for a block, before which no event is left."""
    births = tracer.births
    assert births is not None
    births.recognise(shapes)
    try:
        yield births
    finally:
        births.recognise(())
        for birth in births.read():
            births.settle(birth.until)
        births.again()


def wait_for(births: Births, count: int) -> list[Birth]:
    """Waits for events, settles them and returns them."""
    found: list[Birth] = []
    end_s = time.monotonic() + TIMEOUT_S
    with select.epoll() as poll:
        poll.register(births.fd, select.EPOLLIN | select.EPOLLET)
        while True:
            found += births.read()
            if len(found) >= count:
                break
            assert poll.poll(max(0.0, end_s - time.monotonic())), f"{len(found)} of {count} events came: {found}"
    for birth in found:
        births.settle(birth.until)
    assert len(found) == count, found
    return found
