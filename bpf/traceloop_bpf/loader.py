# SPDX-License-Identifier: Apache-2.0
"""Compiles, loads and attaches the recorder in a process of its own, and hands its file descriptors over.

Run as ``python -m traceloop_bpf.loader FD SETTINGS``: FD is one end of a unix socket pair, SETTINGS a JSON list: -D
values, and the descriptors of maps that are to be shared. The answer is one message: the names of the file
descriptors, with these attached. BCC keeps a compiler in the memory of whoever imports it (about 100 MB); this process
ends, and the programs live on in the descriptors.

As ``python -m traceloop_bpf.loader log SETTINGS`` it hands nothing over, and prints the verifier's log of each program.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from traceloop_bpf import btf
from traceloop_bpf.bpfcalls import map_info
from traceloop_bpf.geometry import Geometry
from traceloop_decode import layout

_HERE: Final = Path(__file__).parent
SHARED: Final = ("rings", "cgroup_front", "cgroups", "below", "control")
"""The maps that all generations of a recorder's programs share."""
OWN: Final = ("calls", "variants")
"""The maps that belong to one generation: what it captures."""
PROGRAMS: Final = {  # function -> raw tracepoint; sys_enter last: when calls are recorded, all else is too
    "on_cgroup_mkdir": "cgroup_mkdir",
    "on_cgroup_rmdir": "cgroup_rmdir",
    "on_task_rename": "task_rename",
    "on_signal_deliver": "signal_deliver",
    "on_signal_generate": "signal_generate",
    "on_process_exit": "sched_process_exit",
    "on_sys_exit": "sys_exit",
    "on_sys_enter": "sys_enter",
}
SLOTS: Final = layout.FRONT_MASK + 1
BELOW: Final = 16 * layout.BELOW_SHARE
"""Most cgroups below the containers' own, of all containers."""
_MESSAGE_MAX: Final = 1 << 16
_FDS_MAX: Final = 64
_LOG: Final = "log"
_LOG_LEVEL: Final = 2  # BPF_LOG_LEVEL2 of include/linux/bpf_verifier.h: each instruction, with the registers before it
_LOG_MAX_BYTES: Final = (1 << 30) - 1  # the largest buffer that kernel/bpf/log.c takes


class LoadError(Exception):
    """The recorder could not be brought into the kernel. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Descriptors by name. maps: SHARED and OWN. programs: ``program.NAME`` and ``link.NAME``, NAME of PROGRAMS."""

    maps: dict[str, int]
    programs: dict[str, int]


def load(
    geometry: Geometry,
    generation: int,
    defines: Mapping[str, int] | None = None,
    shared: Mapping[str, int] | None = None,
) -> Loaded:
    """Brings the recorder's programs into the kernel; they are silent until `control` holds 2 * `generation`.

    defines: more -D values, for tests. shared: the maps of SHARED that another generation works on, to work on too.
    The programs run as long as the links' descriptors are open. Raises LoadError.
    """
    shared = shared or {}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = _started(
            str(theirs.fileno()),
            [_values(geometry, generation, defines or {}), shared],
            pass_fds=[theirs.fileno(), *shared.values()],
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        message, fds, _, _ = socket.recv_fds(ours, _MESSAGE_MAX, _FDS_MAX)
        _, errors = process.communicate()
    if not message:
        raise _refused(process, errors)
    named = dict(zip(json.loads(message), fds, strict=True))
    maps = {name: named.pop(name) for name in (*SHARED, *OWN) if name in named}
    return Loaded({**shared, **maps}, named)


def print_verifier_log(geometry: Geometry) -> None:
    """Prints, for each program, whether the kernel takes it, and the verifier's whole log: 400 MB.

    Nothing is attached. Raises LoadError if the programs cannot be compiled.
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
        "TL_SLOTS": SLOTS,
        "TL_BELOW": BELOW,
        "TL_GENERATION": generation,
        "TL_PID_NAMESPACE": Path("/proc/self/ns/pid").stat().st_ino,
        **defines,
    }


def _started(
    what: str, settings: list[Mapping[str, int]], pass_fds: Collection[int] = (), stdout: int | None = None
) -> subprocess.Popen[str]:
    path = os.pathsep.join((str(_HERE.parent), str(Path(layout.__file__).parent.parent)))
    return subprocess.Popen(
        [sys.executable, "-m", "traceloop_bpf.loader", what, json.dumps(settings)],
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "BCC_KERNEL_SOURCE": str(_HERE / "headers")},
        text=True,
    )


def _refused(process: subprocess.Popen[str], errors: str) -> LoadError:
    reason = errors.strip().splitlines() or [f"the loader ended with status {process.returncode}"]
    return LoadError("\n".join(reason[-20:]))


def _compiled(values: dict[str, int]) -> tuple[Any, Any]:
    # BCC's module of the programs, and its library.
    try:
        from bcc import BPF, lib  # noqa: PLC0415 - nowhere else, for its memory
    except ImportError as error:
        raise LoadError(f"{error}: install python3-bpfcc, for {sys.executable}") from error
    values |= btf.read()
    flags = [f"-I{_HERE}", *(f"-D{name}={value}" for name, value in values.items())]
    return BPF(src_file=str(_HERE / "tracer.bpf.c"), cflags=flags), lib


def _serve(fd: int, values: dict[str, int], shared: dict[str, int]) -> None:
    module, lib = _compiled(values)
    fds = {}
    for name in (*SHARED, *OWN):
        its = module[name].map_fd
        if name not in shared:
            fds[name] = its
            continue
        # BCC has written the descriptor's number into the programs, which are not loaded yet.
        if map_info(its).shape != map_info(shared[name]).shape:
            raise LoadError(f"the map {name} that is in the kernel is unlike this version's: restart with new rings")
        os.dup2(shared[name], its, inheritable=False)
    for function, tracepoint in PROGRAMS.items():
        program = module.load_func(function, module.RAW_TRACEPOINT)
        link = lib.bpf_attach_raw_tracepoint(program.fd, tracepoint.encode())
        if link < 0:
            raise LoadError(f"the kernel refused to attach {function} to the raw tracepoint {tracepoint}")
        fds[f"program.{function}"], fds[f"link.{function}"] = program.fd, link
    with socket.socket(fileno=fd) as channel:
        socket.send_fds(channel, [json.dumps(list(fds)).encode()], list(fds.values()))


def _print_log(values: dict[str, int]) -> None:
    module, lib = _compiled(values)
    with mmap.mmap(-1, _LOG_MAX_BYTES) as log:  # of which no more takes memory than is written
        for function in PROGRAMS:
            answer = _verified(module, lib, function.encode(), log)
            print(f"== {function}: {answer}", flush=True)
            with memoryview(log) as view, view[: log.find(b"\0")] as written:
                sys.stdout.buffer.write(written)


def _verified(module: Any, lib: Any, function: bytes, log: mmap.mmap) -> str:
    # The kernel's answer to one program. log: gets what the verifier says.
    code = lib.bpf_function_start(module.module, function), lib.bpf_function_size(module.module, function)
    licence, version = lib.bpf_module_license(module.module), lib.bpf_module_kern_version(module.module)
    what = (module.module, module.RAW_TRACEPOINT, function, *code, licence, version)
    with _without_stderr():  # where BCC prints the log of a program that is refused
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
    except (LoadError, btf.BtfError) as refusal:
        sys.exit(f"{refusal}")
