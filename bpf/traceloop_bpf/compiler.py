# SPDX-License-Identifier: Apache-2.0
"""Compiles the recorder's programs in a separate process, as BCC's compiler stays in memory (100 MB) once imported.

``python -m traceloop_bpf.compiler VALUES`` prints what it made, as `compiled` has it. VALUES is a JSON object of -D
values, to which it adds those that the kernel's BTF tells.

``python -m traceloop_bpf.compiler VALUES log [FUNCTION]...`` makes the kernel verify these programs instead, or all,
and prints the verifier's log.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from traceloop_bpf import arch, btf, capabilities, io_uring
from traceloop_bpf.bpfcalls import map_info
from traceloop_bpf.compiled import GENERATION, MARKS, PID_NAMESPACE, Compiled, CompiledMap, CompiledProgram
from traceloop_bpf.errors import LoadError
from traceloop_decode import layout

_HERE: Final = Path(__file__).parent
PROGRAMS: Final = {  # function -> raw tracepoint; sys_enter last, so that every other event is recorded by then
    "on_cgroup_mkdir": "cgroup_mkdir",
    "on_cgroup_rmdir": "cgroup_rmdir",
    "on_cgroup_attach_task": "cgroup_attach_task",
    "on_task_rename": "task_rename",
    "on_signal_deliver": "signal_deliver",
    "on_signal_generate": "signal_generate",
    "on_seccomp_end": "sched_process_exit",  # before what says that the thread has ended
    "on_process_fork": "sched_process_fork",
    "on_process_exit": "sched_process_exit",
    "on_sys_exit": "sys_exit",
    "on_sys_enter": "sys_enter",
}
LATER_PROGRAMS: Final = frozenset(("on_cgroup_attach_task", "on_process_fork", "on_seccomp_end"))
"""Names of the programs that a recorder of an older version may lack."""
OPTIONAL_PROGRAMS: Final = {"on_mark_victim": btf.MARK_VICTIM}
"""The same as PROGRAMS, of what a kernel may not have; a recorder of an older version may lack them too."""
_TEMPLATES: Final = {"rings": "ring_template"}
REPORT: Final = "please report it with the log, which traceloopd --log-level debug shows"
_REMEDIES: Final = (
    ("Operation not permitted", "run it as root or by its unit, on a kernel that is not locked down"),
    ("Cannot allocate memory", "let the daemon have more memory, or set a smaller ring.size"),
    ("memory access", f"{REPORT}; smaller sizes in [ring] may help"),
)
"""The remedies, by a sign in what BCC, the compiler and the kernel wrote."""
# What BCC raises (bcc/__init__.py), in the last line of a traceback.
_BCC_ERROR: Final = re.compile(r"Exception: Failed to compile BPF module b'(.*?)'")
_ANY_NUMBERS: Final = {GENERATION: 1, PID_NAMESPACE: 1}
_LOG: Final = "log"
_LOG_LEVEL: Final = 2  # BPF_LOG_LEVEL2 of include/linux/bpf_verifier.h: each instruction, with the registers before it
_LOG_MAX_BYTES: Final = (1 << 30) - 1  # the largest buffer that kernel/bpf/log.c takes


def compiled(values: Mapping[str, int]) -> Compiled:
    """Compiles the programs with these -D values. Raises LoadError."""
    with _started(values, stdout=subprocess.PIPE) as process:
        text, errors = process.communicate()
    if process.returncode:
        raise _refused(process, errors)
    try:
        return Compiled.read(text)
    except (KeyError, TypeError, ValueError) as error:  # BCC may print on the same stream
        raise LoadError(f"the compiler printed something else than programs: {REPORT}", text.splitlines()) from error


def print_verifier_log(values: Mapping[str, int], functions: Collection[str] = ()) -> None:
    """Prints, for each of these programs, whether the kernel accepts it, and the verifier's whole log.

    Without functions it does so for all, which is 400 MB. Attaches nothing. Raises LoadError if the programs cannot be
    compiled, or if there is no such function.
    """
    with _started(values, _LOG, *functions) as process:
        _, errors = process.communicate()
    if process.returncode:
        raise _refused(process, errors)


def remedy(errors: str) -> str:
    """Returns what to do about a failure. errors: what BCC, the compiler and the kernel wrote."""
    return next((remedy for sign, remedy in _REMEDIES if sign in errors), REPORT)


def _started(values: Mapping[str, int], *what: str, stdout: int | None = None) -> subprocess.Popen[str]:
    path = os.pathsep.join((str(_HERE.parent), str(Path(layout.__file__).parent.parent)))
    return subprocess.Popen(
        [sys.executable, "-m", "traceloop_bpf.compiler", json.dumps(dict(values)), *what],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "BCC_KERNEL_SOURCE": str(_HERE / "headers")},
        text=True,
    )


def _refused(process: subprocess.Popen[str], errors: str) -> LoadError:
    *log, reason = errors.strip().splitlines() or [f"the compiler ended with status {process.returncode}"]
    found = _BCC_ERROR.fullmatch(reason)
    if found is None:
        return LoadError(reason, log)
    return LoadError(f"{Path(found[1]).name} does not compile: {remedy(errors)}", log)


def programs_of(requests: io_uring.Found, values: Mapping[str, int]) -> dict[str, str]:
    """Returns the functions that a kernel has tracepoints for, in the order of attachment. values: the -D values."""
    victims = OPTIONAL_PROGRAMS if btf.tells_of_victims(values) else {}
    asking = capabilities.TRACEPOINTS if capabilities.are_told(values) else {}
    return {**requests.tracepoints, **victims, **asking, **PROGRAMS}


class _Module:
    """The programs in BCC. tracepoints: by function. opcodes: as in Compiled."""

    def __init__(self, values: dict[str, int]) -> None:
        try:
            from bcc import BPF, lib  # noqa: PLC0415 - only this process may import it: about 100 MB
        except ImportError as error:
            raise LoadError(f"{error}: install python3-bpfcc, for {sys.executable}") from error
        with btf.opened() as types:
            requests = io_uring.NOTHING
            if io_uring.WITHOUT not in values:
                requests = io_uring.find(types)
            asked = capabilities.find(types) if capabilities.WITHOUT not in values else {}
            values |= btf.read(types) | requests.values | asked
            self.opcodes = {}
            if requests.tracepoints:
                self.opcodes = io_uring.opcodes(types, values["TL_ITEM_MAX"], values["TL_CALL_MAX"])
        marked = values | {f"TL_MARK_{name}": mark for name, mark in MARKS.items()}
        flags = [f"-I{_HERE}", f'-DTL_ARCH="{arch.header()}"', *(f"-D{name}={value}" for name, value in marked.items())]
        self._bpf, self._lib = BPF(src_file=str(_HERE / "tracer.bpf.c"), cflags=flags), lib
        self._raw_tracepoint: Final = BPF.RAW_TRACEPOINT
        self._module: Final = self._bpf.module
        self.tracepoints = programs_of(requests, values)

    def _maps(self) -> dict[int, str]:
        # Returns the maps' names by descriptor.
        lib = self._lib
        for read, answer in (("bpf_table_name", ctypes.c_char_p), ("bpf_table_fd_id", ctypes.c_int)):
            getattr(lib, read).restype = answer
            getattr(lib, read).argtypes = (ctypes.c_void_p, ctypes.c_ulonglong)
        lib.bpf_num_tables.argtypes = (ctypes.c_void_p,)
        return {
            lib.bpf_table_fd_id(self._module, number): lib.bpf_table_name(self._module, number).decode()
            for number in range(lib.bpf_num_tables(self._module))
        }

    def _program(self, function: str, maps: Mapping[int, str]) -> CompiledProgram:
        name = function.encode()
        code = self._lib.bpf_function_start(self._module, name), self._lib.bpf_function_size(self._module, name)
        return CompiledProgram.read(function, self.tracepoints[function], ctypes.string_at(*code), maps)

    def compiled(self) -> Compiled:
        maps = self._maps()
        programs = tuple(self._program(function, maps) for function in self.tracepoints)
        if lost := MARKS.keys() - {name for program in programs for name in program.numbers.values()}:
            raise LoadError(f"the compiler did not keep the marks of {', '.join(sorted(lost))}: {REPORT}")
        shapes = {name: map_info(fd).shape for fd, name in maps.items()}
        return Compiled(
            tuple(CompiledMap(name, shape, _TEMPLATES.get(name, "")) for name, shape in shapes.items()),
            programs,
            self.opcodes,
        )

    def verified(self, function: str, log: mmap.mmap) -> str:
        """Returns the kernel's answer, and writes the verifier's log into `log`."""
        lib, module = self._lib, self._module
        licence, version = lib.bpf_module_license(module), lib.bpf_module_kern_version(module)
        maps = self._maps()
        code = self._program(function, maps).code_for({name: fd for fd, name in maps.items()}, _ANY_NUMBERS)
        what = (module, self._raw_tracepoint, function.encode(), code, len(code), licence, version)
        with _without_stderr():  # BCC prints the log of a refused program there
            fd = lib.bcc_func_load(*what, _LOG_LEVEL, (ctypes.c_char * len(log)).from_buffer(log), len(log), None, -1)
            why = ctypes.get_errno()
        if fd < 0:
            return os.strerror(why)
        os.close(fd)
        return "accepted"


def _print_log(module: _Module, functions: Collection[str]) -> None:
    if unknown := set(functions) - module.tracepoints.keys():
        known = ", ".join(module.tracepoints)
        raise LoadError(f"there is no program {', '.join(sorted(unknown))} on this kernel: there are {known}")
    with mmap.mmap(-1, _LOG_MAX_BYTES) as log:  # only pages that are written take memory
        for function in functions or module.tracepoints:
            print(f"== {function}: {module.verified(function, log)}", flush=True)
            with memoryview(log) as view, view[: log.find(b"\0")] as written:
                sys.stdout.buffer.write(written)


@contextmanager
def _without_stderr() -> Iterator[None]:
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _main(values: str, *what: str) -> None:
    module = _Module(json.loads(values))
    if what:
        _print_log(module, what[1:])
    else:
        print(module.compiled().text())


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except (LoadError, btf.BtfError, OSError) as refusal:
        sys.exit(f"{refusal}")
