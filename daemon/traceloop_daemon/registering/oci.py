# SPDX-License-Identifier: Apache-2.0
"""Hook messages -> values: a stage, and the state that the OCI runtime wrote (runtime-spec, "State")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from traceloop_daemon.errors import RegistrationError

MESSAGE_MAX_BYTES: Final = 1 << 20
ID_MAX: Final = 1024
"""Letters of a container's id, in which runtimes have 64, or what a user chose: a directory's name, as a rule."""
STAGES: Final = ("start", "stop")


@dataclass(frozen=True, slots=True)
class HookMessage:
    """stage: ``start`` or ``stop``, which the hook was called with. pid: 0 where there is none."""

    stage: str
    container_id: str
    pid: int
    bundle: str
    annotations: Mapping[str, str]


def parse(message: bytes) -> HookMessage:
    """A hook's message: the stage, a newline, the state as the runtime wrote it. Raises RegistrationError."""
    if len(message) > MESSAGE_MAX_BYTES:
        raise RegistrationError(f"a hook sent more than {MESSAGE_MAX_BYTES} bytes, which is no OCI state")
    stage_bytes, _, text = message.partition(b"\n")
    stage = stage_bytes.decode("ascii", "backslashreplace")
    if stage not in STAGES:
        raise RegistrationError(f"a hook sent the stage {stage[:40]!r}, not start or stop")
    if not text.strip():
        raise RegistrationError(f"the {stage} hook got no OCI state on its standard input")
    try:
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RegistrationError(f"the {stage} hook got an OCI state that is not JSON: {error}") from error
    if not isinstance(state, dict):
        raise RegistrationError(f"the {stage} hook got an OCI state that is no object")
    container_id = state.get("id")
    if not isinstance(container_id, str) or not container_id or not container_id.isprintable():
        raise RegistrationError(f"the {stage} hook got an OCI state without an id")
    if len(container_id) > ID_MAX:
        raise RegistrationError(f"the {stage} hook got an id of {len(container_id)} letters: {ID_MAX} are the most")
    pid = state.get("pid") or 0
    if type(pid) is not int or pid < 0 or (stage == "start" and pid == 0):
        raise RegistrationError(f"the {stage} hook got the pid {state.get('pid')!r} for container {container_id}")
    annotations = state.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise RegistrationError(f"the {stage} hook got annotations that are no object for container {container_id}")
    bundle = _text(state.get("bundle", ""))
    if "\0" in bundle:
        raise RegistrationError(f"the {stage} hook got a bundle that is no path for container {container_id}")
    return HookMessage(
        stage=stage,
        container_id=container_id,
        pid=pid,
        bundle=bundle,
        annotations={_text(key): _text(value) for key, value in annotations.items()},
    )


def _text(value: object) -> str:
    # JSON can spell half a surrogate pair, which no other encoding can: gRPC could not send it on.
    return str(value).encode("utf-8", "backslashreplace").decode()
