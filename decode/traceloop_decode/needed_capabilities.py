# SPDX-License-Identifier: Apache-2.0
"""Makes, of what traces were granted, the capabilities that a container needs, as engines and Kubernetes take them.

They are complete for what the traces saw, since the recorder notes each capability for the container's whole life. What
the kernel refused is not among them: the container did without. A container that had more capabilities may have used
one where another would have done: to read a file, the kernel asks for CAP_DAC_READ_SEARCH before CAP_DAC_OVERRIDE.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from traceloop_decode.capabilities import Capabilities
from traceloop_decode.capability_names import name_of, short_name
from traceloop_decode.events import events
from traceloop_decode.model import Call, Entered, Returned
from traceloop_decode.snapshot import Snapshot


class NotToldError(ValueError):
    """The capabilities of a trace are not known. The message names it, and says what to do."""


@dataclass(frozen=True, slots=True)
class Needs:
    """A container's needs, as text, and lines that say what they rest on."""

    text: str
    notes: tuple[str, ...]


def needed_capabilities(traces: Sequence[tuple[str, Snapshot]]) -> Needs:
    """Makes what all these containers need, each given with its name. Raises NotToldError."""
    granted: set[int] = set()
    refused: set[int] = set()
    calls: dict[tuple[int, bool], dict[str, None]] = defaultdict(dict)
    notes = [f"capabilities: what {_count(len(traces), 'trace')} used: {', '.join(name for name, _ in traces)}"]
    for name, snapshot in traces:
        found = Capabilities.of(snapshot)
        if found is None:
            raise NotToldError(
                f"{name}: nothing is known of its capabilities: record the container on Linux 6.14 or later, whose "
                "kernel tells which are asked for"
            )
        granted.update(found.granted)
        refused.update(found.refused)
        _add_calls(calls, snapshot)
        if not found.whole:
            notes.append(f"capabilities: {name}: they were not noted from its first call on; some may be missing")
    notes += _told("needed", sorted(granted), calls, was_granted=True)
    notes += _told("refused, and not added", sorted(refused - granted), calls, was_granted=False)
    return Needs(_text([short_name(number) for number in sorted(granted)]), tuple(notes))


def _text(names: Sequence[str]) -> str:
    options = " ".join(("--cap-drop=ALL", *(f"--cap-add={name}" for name in names)))
    lines = [options, "", "securityContext:", "  capabilities:", '    drop: ["ALL"]']
    if names:
        quoted = ", ".join(f'"{name}"' for name in names)
        lines.append(f"    add: [{quoted}]")
    return "\n".join(lines) + "\n"


def _add_calls(calls: dict[tuple[int, bool], dict[str, None]], snapshot: Snapshot) -> None:
    # The names of the calls that asked, as far as the trace still has them.
    for event in events(snapshot):
        call = event.call if isinstance(event, Entered | Returned) else event
        if isinstance(call, Call):
            for asked in call.asked:
                calls[asked.number, asked.granted][call.name] = None


def _told(
    how: str, numbers: Iterable[int], calls: Mapping[tuple[int, bool], Mapping[str, None]], *, was_granted: bool
) -> Iterator[str]:
    for number in numbers:
        its = ", ".join(calls.get((number, was_granted), ()))
        yield f"capabilities: {how}: {name_of(number)}{f' ({its})' if its else ''}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
