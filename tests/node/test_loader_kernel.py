# SPDX-License-Identifier: Apache-2.0
"""The recorder is loaded from compiled programs: kept ones need no compiler, and a signal does not keep it out."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from traceloop_bpf import bpfcalls, compiled_cache, compiler, loader
from traceloop_bpf.compiled import MARKS
from traceloop_bpf.errors import LoadError
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer

pytestmark = pytest.mark.kernel


def test_what_was_kept_needs_no_compiler(monkeypatch: pytest.MonkeyPatch, tracer: Tracer) -> None:
    """The session's recorder was compiled or found; it is found now."""

    def compiled(values):
        pytest.fail("compiled again")

    monkeypatch.setattr(compiler, "compiled", compiled)
    with closing(Tracer.load(Plan())) as another:
        assert another.about == tracer.about
        assert not another.trouble()


def open_fds() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_refused_programs_leave_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    about = Plan(pool_size=1).about()
    before = open_fds()

    def refuse(program, tracepoint):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(bpfcalls, "attach", refuse)
    with pytest.raises(LoadError, match=r"\Athe kernel refused to attach on_\w+ to the raw tracepoint \w+: "):
        loader.load(about, 1)
    assert open_fds() == before


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EPERM, "run it as root or by its unit"), (errno.ENOMEM, "let the daemon have more memory")],
)
def test_a_map_that_is_refused(monkeypatch: pytest.MonkeyPatch, number: int, remedy: str) -> None:
    create, before = bpfcalls.create_map, open_fds()

    def refuse_one(shape, name, template=0):
        if name == "rings":
            raise OSError(number, os.strerror(number))
        return create(shape, name, template)

    monkeypatch.setattr(bpfcalls, "create_map", refuse_one)
    with pytest.raises(LoadError, match=rf"\Athe kernel refuses the map rings: {os.strerror(number)}: {remedy}"):
        loader.load(Plan(pool_size=1).about(), 1)
    assert open_fds() == before


def test_a_signal_during_a_verification(monkeypatch: pytest.MonkeyPatch, tracer: Tracer) -> None:
    """The kernel gives a verification up when a signal comes to its thread, with EAGAIN."""
    name = compiled_cache.key(tracer.about.program, loader.values_of(tracer.geometry, {}))
    compiled = compiled_cache.find(name)
    assert compiled is not None
    (program,) = [each for each in compiled.programs if each.function == "on_sys_enter"]
    answers, came, load = [], [], bpfcalls._load

    def loaded(code, name, log=None):
        if not answers:
            signal.setitimer(signal.ITIMER_REAL, 0.02)  # the verification takes ten times as long
        try:
            fd = load(code, name, log)
        except OSError as error:
            answers.append(error.errno)
            raise
        answers.append(0)
        return fd

    monkeypatch.setattr(bpfcalls, "_load", loaded)
    former = signal.signal(signal.SIGALRM, lambda number, _: came.append(number))
    try:
        with ExitStack() as maps:
            fds = loader._maps(compiled, {}, maps)
            maps.callback(os.close, bpfcalls.load_program(program.code_for(fds, MARKS), program.function))
    finally:
        signal.signal(signal.SIGALRM, former)
    assert answers == [errno.EAGAIN, 0]
    assert len(came) == 1


def test_of_programs_that_are_refused_the_others_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    load, before = bpfcalls.load_program, open_fds()

    def refuse_one(code, name):
        if name == "on_process_fork":
            raise OSError(errno.EINVAL, "Invalid argument")
        return load(code, name)

    monkeypatch.setattr(bpfcalls, "load_program", refuse_one)
    with pytest.raises(LoadError, match=r"\Athe kernel refuses the program on_process_fork: Invalid argument: "):
        loader.load(Plan(pool_size=1).about(), 1)
    assert open_fds() == before
