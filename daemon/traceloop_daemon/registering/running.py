# SPDX-License-Identifier: Apache-2.0
"""Takes up the containers that run already when the daemon starts, whose births no daemon recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from traceloop_bpf.births import Birth
from traceloop_daemon.errors import AlreadyRecorded, RegistrationError
from traceloop_daemon.naming.births import Recogniser
from traceloop_daemon.naming.names import Registration
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.file_readers import FileReaders, Result
from traceloop_daemon.system.procfs import first_process

_log = logging.getLogger(__name__)


def take_up(
    mount: Path, recogniser: Recogniser, readers: FileReaders, register: Callable[[Registration], None]
) -> None:
    """Registers each container whose cgroup has a process and is recognised by its name. To be called in the loop.

    register: raises RegistrationError, as for those that are recorded already.
    """
    for path, birth in _containers(mount, recogniser):
        readers.ask(partial(recogniser.find, birth), partial(_registered, path, birth, recogniser, register))


def _containers(mount: Path, recogniser: Recogniser) -> Iterator[tuple[Path, Birth]]:
    found: list[str] = []
    for path in cgroupfs.below(mount):
        if any(path.startswith(f"{above}/") for above in found):
            continue  # below a container's
        birth = recogniser.running(path.removeprefix(str(mount)))
        if birth is not None:
            found.append(path)
            yield Path(path), birth


def _registered(
    path: Path,
    birth: Birth,
    recogniser: Recogniser,
    register: Callable[[Registration], None],
    result: Result[Registration | None],
) -> None:
    pid = first_process(path)
    if not pid:
        return
    told = result() or recogniser.without_bundle(birth)
    try:
        register(replace(told, pid=pid))
    except AlreadyRecorded:  # a former daemon began
        return
    except RegistrationError as error:
        _log.info("%s", error)
