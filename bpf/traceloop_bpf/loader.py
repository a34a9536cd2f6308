# SPDX-License-Identifier: Apache-2.0
"""Compiles, loads and attaches the recorder in a separate process, which passes its file descriptors back.

The process is ``python -m traceloop_bpf.loader FD SETTINGS``. FD is one end of a unix socket pair; SETTINGS is a JSON
list of -D values and of the descriptors of maps to share. The answer is one message: the names of the file descriptors,
with these attached. BCC keeps a compiler in the memory of the process that imports it (about 100 MB). This process
exits, and the programs stay loaded through the descriptors.

``python -m traceloop_bpf.loader log SETTINGS`` passes nothing back, and prints the verifier's log of each program.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import IO, Any, Final

from traceloop_bpf import arch, btf, capabilities, io_uring
from traceloop_bpf.bpfcalls import map_info, update
from traceloop_bpf.geometry import Geometry
from traceloop_decode import layout

_HERE: Final = Path(__file__).parent
LATER_MAPS: Final = ("stock", "births", "shapes", "runtimes")
"""Names of the maps that a recorder of an older version may lack."""
SHARED: Final = ("rings", "cgroup_front", "cgroups", "below", "entered", "control", *LATER_MAPS)
"""Names of the maps that all generations of a recorder's programs share."""
OWN: Final = ("calls", "variants")
"""Names of the maps that belong to one generation: its capture rules. `opcodes` is filled here."""
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
SLOTS: Final = layout.FRONT_MASK + 1
BELOW: Final = 16 * layout.BELOW_SHARE
"""Maximum number of recorded cgroups below containers' own, for all containers together."""
_MESSAGE_MAX: Final = 1 << 16
_FDS_MAX: Final = 64
_KEY: Final = Struct("<I")
# What BCC raises (bcc/__init__.py), in the last line of a traceback.
_BCC_ERROR: Final = re.compile(r"Exception: Failed to (load|compile) BPF (?:program|module) b'(.*?)'(?:: (.*))?")
_REPORT: Final = "please report it with the log, which traceloopd --log-level debug shows"
_REMEDIES: Final = (
    ("Operation not permitted", "run it as root or by its unit, on a kernel that is not locked down"),
    ("Cannot allocate memory", "let the daemon have more memory, or set a smaller ring.size"),
    ("memory access", f"{_REPORT}; smaller sizes in [ring] may help"),
)
"""The remedies, by a sign in what BCC, the compiler and the kernel wrote."""
_LOG_SHOWN_BYTES: Final = 1 << 16
_LOG: Final = "log"
_LOG_LEVEL: Final = 2  # BPF_LOG_LEVEL2 of include/linux/bpf_verifier.h: each instruction, with the registers before it
_LOG_MAX_BYTES: Final = (1 << 30) - 1  # the largest buffer that kernel/bpf/log.c takes


class LoadError(Exception):
    """The recorder could not be loaded into the kernel. The message is one line: why, and what to do.

    log: lines of the compiler or of the kernel's verifier, if there are any.
    """

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = tuple(log)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Descriptors by name. maps: SHARED and OWN. programs: ``program.F`` and ``link.F`` for each function F."""

    maps: dict[str, int]
    programs: dict[str, int]


def load(
    geometry: Geometry,
    generation: int,
    defines: Mapping[str, int] | None = None,
    shared: Mapping[str, int] | None = None,
) -> Loaded:
    """Loads the recorder's programs into the kernel; they record nothing until `control` holds 2 * `generation`.

    defines: further -D values, for tests. shared: the maps of SHARED that the generation before uses, to be used as
    well. The programs stay attached as long as the links' descriptors are open. Raises LoadError.
    """
    shared = shared or {}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, tempfile.TemporaryFile() as errors:  # not a pipe, which the verifier's log would fill
        process = _started(
            str(theirs.fileno()),
            [_values(geometry, generation, defines or {}), shared],
            pass_fds=[theirs.fileno(), *shared.values()],
            stdout=subprocess.DEVNULL,
            stderr=errors.fileno(),
        )
        theirs.close()
        message, fds, _, _ = socket.recv_fds(ours, _MESSAGE_MAX, _FDS_MAX)
        process.wait()
        if not message:
            raise _refused(process, _end_of(errors))
    named = dict(zip(json.loads(message), fds, strict=True))
    maps = {name: named.pop(name) for name in (*SHARED, *OWN) if name in named}
    return Loaded({**shared, **maps}, named)


def print_verifier_log(geometry: Geometry) -> None:
    """Prints, for each program, whether the kernel accepts it, and the verifier's whole log: 400 MB.

    Attaches nothing. Raises LoadError if the programs cannot be compiled.
    """
    process = _started(_LOG, [_values(geometry, 1, {}), {}])
    _, errors = process.communicate()
    if process.returncode:
        raise _refused(process, errors)


def _values(geometry: Geometry, generation: int, defines: Mapping[str, int]) -> dict[str, int]:
    return {
        "TL_RING_SIZE": geometry.ring_size,
        "TL_CHUNK_SIZE": geometry.chunk_size,
        "TL_CPUS": geometry.cpus,
        "TL_ITEM_MAX": geometry.item_max,
        "TL_CALL_MAX": geometry.call_max,
        "TL_SLACK": geometry.slack,
        "TL_DATA_OFFSET": geometry.data_offset,
        "TL_FIRSTS_SIZE": geometry.firsts_size,
        "TL_RUNTIME_SIZE": geometry.runtime_size,
        "TL_TOTALS": geometry.totals,
        "TL_SLOTS": SLOTS,
        "TL_BELOW": BELOW,
        "TL_GENERATION": generation,
        "TL_PAGE_SIZE": mmap.PAGESIZE,
        "TL_PID_NAMESPACE": Path("/proc/self/ns/pid").stat().st_ino,
        **defines,
    }


def _started(
    what: str,
    settings: list[Mapping[str, int]],
    pass_fds: Collection[int] = (),
    stdout: int | None = None,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    path = os.pathsep.join((str(_HERE.parent), str(Path(layout.__file__).parent.parent)))
    return subprocess.Popen(
        [sys.executable, "-m", "traceloop_bpf.loader", what, json.dumps(settings)],
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": path, "BCC_KERNEL_SOURCE": str(_HERE / "headers")},
        text=True,
    )


def _end_of(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LOG_SHOWN_BYTES))
    return errors.read().decode(errors="backslashreplace")


def _refused(process: subprocess.Popen[str], errors: str) -> LoadError:
    *log, reason = errors.strip().splitlines() or [f"the loader ended with status {process.returncode}"]
    found = _BCC_ERROR.fullmatch(reason)
    if found is None:
        return LoadError(reason, log)
    did, what, why = found.groups()
    fault = f"the kernel refuses the program {what}: {why}" if did == "load" else f"{Path(what).name} does not compile"
    remedy = next((remedy for sign, remedy in _REMEDIES if sign in errors), _REPORT)
    return LoadError(f"{fault}: {remedy}", log)


def programs_of(requests: io_uring.Found, values: Mapping[str, int]) -> dict[str, str]:
    """Returns the functions that a kernel has tracepoints for, in the order of attachment. values: the -D values."""
    victims = OPTIONAL_PROGRAMS if btf.tells_of_victims(values) else {}
    asking = capabilities.TRACEPOINTS if capabilities.are_told(values) else {}
    return {**requests.tracepoints, **victims, **asking, **PROGRAMS}


def _compiled(values: dict[str, int]) -> tuple[Any, Any, io_uring.Found, dict[str, str]]:
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
    flags = [f"-I{_HERE}", f'-DTL_ARCH="{arch.header()}"', *(f"-D{name}={value}" for name, value in values.items())]
    return BPF(src_file=str(_HERE / "tracer.bpf.c"), cflags=flags), lib, requests, programs_of(requests, values)


def _serve(fd: int, values: dict[str, int], shared: dict[str, int]) -> None:
    module, lib, requests, tracepoints = _compiled(values)
    fds = {}
    for name in (*SHARED, *OWN):
        its = module[name].map_fd
        if name not in shared:
            fds[name] = its
            continue
        # The programs, not loaded yet, contain this descriptor's number, so the shared map must get that number.
        if map_info(its).shape != map_info(shared[name]).shape:
            raise LoadError(f"the map {name} in the kernel differs from this version's: restart with new rings")
        os.dup2(shared[name], its, inheritable=False)
    if requests.tracepoints:
        with btf.opened() as types:
            opcodes = io_uring.opcodes(types, values["TL_ITEM_MAX"], values["TL_CALL_MAX"])
        for opcode, how in opcodes.items():
            update(module["opcodes"].map_fd, _KEY.pack(opcode), how)
    for function, tracepoint in tracepoints.items():
        program = module.load_func(function, module.RAW_TRACEPOINT)
        link = lib.bpf_attach_raw_tracepoint(program.fd, tracepoint.encode())
        if link < 0:
            raise LoadError(f"the kernel refused to attach {function} to the raw tracepoint {tracepoint}")
        fds[f"program.{function}"], fds[f"link.{function}"] = program.fd, link
    with socket.socket(fileno=fd) as channel:
        socket.send_fds(channel, [json.dumps(list(fds)).encode()], list(fds.values()))


def _print_log(values: dict[str, int]) -> None:
    module, lib, _, tracepoints = _compiled(values)
    with mmap.mmap(-1, _LOG_MAX_BYTES) as log:  # only pages that are written take memory
        for function in tracepoints:
            answer = _verified(module, lib, function.encode(), log)
            print(f"== {function}: {answer}", flush=True)
            with memoryview(log) as view, view[: log.find(b"\0")] as written:
                sys.stdout.buffer.write(written)


def _verified(module: Any, lib: Any, function: bytes, log: mmap.mmap) -> str:
    # Writes the verifier's log into `log`.
    code = lib.bpf_function_start(module.module, function), lib.bpf_function_size(module.module, function)
    licence, version = lib.bpf_module_license(module.module), lib.bpf_module_kern_version(module.module)
    what = (module.module, module.RAW_TRACEPOINT, function, *code, licence, version)
    with _without_stderr():  # BCC prints the log of a refused program there
        fd = lib.bcc_func_load(*what, _LOG_LEVEL, (ctypes.c_char * len(log)).from_buffer(log), len(log), None, -1)
        why = ctypes.get_errno()
    if fd < 0:
        return os.strerror(why)
    os.close(fd)
    return "accepted"


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


if __name__ == "__main__":
    try:
        if sys.argv[1] == _LOG:
            _print_log(json.loads(sys.argv[2])[0])
        else:
            _serve(int(sys.argv[1]), *json.loads(sys.argv[2]))
    except (LoadError, btf.BtfError, OSError) as refusal:
        sys.exit(f"{refusal}")
