# SPDX-License-Identifier: Apache-2.0
"""Parses hook messages: a stage, and the state that the OCI runtime wrote (runtime-spec, "State")."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from traceloop_daemon.errors import RegistrationError
from traceloop_decode.safe_text import encodable

MESSAGE_MAX_BYTES: Final = 1 << 20
ID_MAX: Final = 1024
"""Maximum length of a container's id, in characters. Engines make ids of 64; users' ids name directories."""


class Stage(enum.Enum):
    """The step of the container's life for which the runtime called the hook."""

    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class HookMessage:
    """A hook's message. pid: 0 if the runtime gives none."""

    stage: Stage
    container_id: str
    pid: int
    bundle: str
    annotations: Mapping[str, str]


def parse(message: bytes) -> HookMessage:
    """Parses a message: the stage, a newline, the state as the runtime wrote it. Raises RegistrationError."""
    if len(message) > MESSAGE_MAX_BYTES:
        raise RegistrationError(f"a hook sent more than {MESSAGE_MAX_BYTES} bytes, too many for an OCI state")
    stage_bytes, _, text = message.partition(b"\n")
    stage = stage_bytes.decode("ascii", "backslashreplace")
    if stage not in (known.value for known in Stage):
        raise RegistrationError(f"a hook sent the stage {stage[:40]!r}, not start or stop")
    if not text.strip():
        raise RegistrationError(f"the {stage} hook got no OCI state on its standard input")
    try:
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RegistrationError(f"the {stage} hook got an OCI state that is not JSON: {error}") from error
    if not isinstance(state, dict):
        raise RegistrationError(f"the {stage} hook got an OCI state that is not a JSON object")
    container_id = state.get("id")
    if not isinstance(container_id, str) or not container_id or not container_id.isprintable():
        raise RegistrationError(f"the {stage} hook got an OCI state without an id")
    if len(container_id) > ID_MAX:
        raise RegistrationError(f"the {stage} hook got an id of {len(container_id)} characters, more than {ID_MAX}")
    pid = state.get("pid") or 0
    if type(pid) is not int or pid < 0 or (stage == Stage.START.value and pid == 0):
        raise RegistrationError(f"the {stage} hook got the pid {state.get('pid')!r} for container {container_id}")
    annotations = state.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise RegistrationError(f"the {stage} hook got annotations that are not an object for container {container_id}")
    bundle = encodable(str(state.get("bundle", "")))
    if "\0" in bundle:
        raise RegistrationError(f"the {stage} hook got a bundle that is not a path for container {container_id}")
    return HookMessage(
        stage=Stage(stage),
        container_id=container_id,
        pid=pid,
        bundle=bundle,
        annotations={encodable(key): encodable(str(value)) for key, value in annotations.items()},
    )
