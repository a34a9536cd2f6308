# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the daemon's handling of a hook's message: parsing, names, the choice to record. `README.md` explains how.

An input is a message and, after a line ``--``, the bytes of the file in which an engine keeps its containers.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import atheris

with atheris.instrument_imports(include=["traceloop_daemon"]):
    from traceloop_daemon.errors import RegistrationError
    from traceloop_daemon.naming.names import Names, resolve
    from traceloop_daemon.privacy.capture_policy import CapturePolicy
    from traceloop_daemon.registering.oci import parse
    from traceloop_daemon.registering.policy import choose
    from traceloop_daemon.settings.keys import CaptureSettings, RecordMode, RecordSettings, RingSettings

ID: Final = "0123456789abcdef" * 4
SPLIT: Final = b"\n--\n"
RECORD: Final = (
    RecordSettings(),
    RecordSettings(sandboxes=True, mode=RecordMode.OPT_IN),
    RecordSettings(namespaces=("a*", "[!b-"), exclude_namespaces=("*?",)),
    RecordSettings(images=("*/*:[0-9]*",), exclude_images=("",)),
)
CAPTURE: Final = (CaptureSettings(), CaptureSettings(policy=CapturePolicy.NO_PAYLOAD, allow_raise=True))
_BLIND: Final = 0.2
_KEYS: Final = (
    *("id", "pid", "bundle", "annotations", "status", "Name", "names", "Config", "Image", "metadata", "image"),
    *("io.traceloop.name", "io.traceloop.record", "io.traceloop.capture", "io.container.manager"),
    *("io.traceloop.skip", "io.traceloop.firsts-size", "io.traceloop.ring-size"),
    *(f"io.kubernetes.cri.{key}" for key in ("sandbox-name", "sandbox-namespace", "sandbox-uid", "container-name")),
    *(f"io.kubernetes.cri.{key}" for key in ("container-type", "image-name")),
    *(f"io.kubernetes.{key}" for key in ("pod.name", "pod.namespace", "container.name", "cri-o.ContainerType")),
    *("io.kubernetes.container.restartCount", "io.kubernetes.cri-o.Metadata", "io.kubernetes.docker.type", "Labels"),
)
_WORDS: Final = (
    *(ID, ID[:12], "", "true", "false", "sandbox", "container", "paths", "all", "a", "/", "..", "/x/userdata"),
    *("\x1b[31m", "\0", "é", "\ud800", "\u202e", "x" * 300, "%s", "a\nb"),
    *("0" * 12 + "9" * 30, "0" * 5000, "[" * 3000, '{"name": "x", "attempt": 1}'),
)

directory = Path(__file__).parents[2] / "build" / "fuzz" / "hook_message.files"
bundle = directory / "overlay-containers" / ID / "userdata"
docker = directory / "containers" / ID
for made in (bundle, docker):
    made.mkdir(parents=True, exist_ok=True)
_FILES: Final = (directory / "overlay-containers" / "containers.json", docker / "config.v2.json")


def check(data: bytes) -> None:
    """Checks that the bytes raise one printable line, or give names and choices whose words are printable."""
    message, _, kept = data.partition(SPLIT)
    try:
        hook = parse(message)
    except RegistrationError as error:
        _printable(str(error))
        return
    for file in _FILES:
        file.write_bytes(kept)
    for at in (hook.bundle, f"{hook.bundle}/overlay-containers/{hook.container_id}/userdata", str(bundle)):
        told = resolve(hook.container_id, hook.annotations, at, directory)
        names = told.names
        words = [text for pair in names.labels.pairs for text in pair]
        for name in (names.container, names.pod, names.namespace, names.pod_uid, names.image, *words):
            name.encode()
        assert names.restart_count is None or 0 <= names.restart_count < 1 << 31
        trace_id = names.trace_id("node")
        assert trace_id.isascii()
        _printable(trace_id)
        _choose(names, told.annotations)


def _choose(names: Names, annotations: Mapping[str, str]) -> None:
    for record in RECORD:
        for capture in CAPTURE:
            choice = choose(record, capture, RingSettings(), names, annotations)
            _printable(choice.refused)
            for note in choice.notes:
                _printable(note)
            if annotations.get("io.traceloop.record") == "false":
                assert choice.refused
            if not capture.allow_raise:
                assert choice.capture.withheld & capture.policy.withheld == capture.policy.withheld


def _printable(text: str) -> None:
    if not text.isprintable():
        raise AssertionError(f"not printable: {text!r}")


def mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """Mutates an input for libFuzzer, mostly by changing a value in the JSON."""
    chance = Random(seed)
    message, split, kept = data.partition(SPLIT)
    stage, newline, state = message.partition(b"\n")
    if chance.random() >= _BLIND:
        parts = [state, kept if split else b"[]"]
        which = chance.random() < 0.3
        try:
            parts[which] = json.dumps(_changed(chance, json.loads(parts[which]), 0)).encode()
        except (ValueError, RecursionError):
            parts = [json.dumps(_some(chance, 0)).encode() for _ in parts]
        changed = b"".join((stage or b"start", newline or b"\n", parts[0], SPLIT, parts[1]))
        if len(changed) <= size_max:
            return changed
    return bytes(atheris.Mutate(data, size_max))


def _changed(chance: Random, value: Any, depth: int) -> Any:
    if chance.random() < 0.2 or not value or not isinstance(value, (dict, list)):
        return _some(chance, depth)
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [*value[:at], _changed(chance, value[at], depth + 1), *value[at + 1 :]]
    key = chance.choice([*value, chance.choice(_KEYS)])
    return value | {key: _changed(chance, value.get(key), depth + 1)}


def _some(chance: Random, depth: int) -> Any:
    kind = chance.random()
    if kind < 0.5 or depth > 4:
        return chance.choice(_WORDS)
    if kind < 0.65:
        return chance.choice((0, 1, -1, 7, 1 << 64, 1.5, True, False, None))
    if kind < 0.8:
        return [_some(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {chance.choice(_KEYS): _some(chance, depth + 1) for _ in range(chance.randrange(6))}


if __name__ == "__main__":
    logging.disable()
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
