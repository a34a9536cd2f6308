# SPDX-License-Identifier: Apache-2.0
"""The surface of traceloop.proto that clients rely on: names, numbers and types; and the kept one, which only grows.

``make proto`` adds to the kept surface what is new. A change that would break clients is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2

from traceloop_proto import traceloop_pb2 as pb

KEPT: Final = Path(__file__).parents[2] / "proto/traceloop_proto/surface.json"


def surface() -> dict[str, str]:
    """Returns the present surface: ``Trace.id`` -> ``1 optional string``, for each field, enum value and method."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return dict(sorted(_parts(file)))


def breaks(kept: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """Returns a line for each part that clients of the kept surface would miss."""
    return [
        f"{name}: {what!r} became {present.get(name)!r}" for name, what in kept.items() if present.get(name) != what
    ]


def _parts(file: Any) -> Iterator[tuple[str, str]]:
    for message in file.message_type:
        for field in message.field:
            label = field.Label.Name(field.label).removeprefix("LABEL_").lower()
            presence = "explicit " if field.proto3_optional else ""
            kind = field.type_name or field.Type.Name(field.type).removeprefix("TYPE_").lower()
            yield f"{message.name}.{field.name}", f"{field.number} {presence}{label} {kind}"
    for enum in file.enum_type:
        for value in enum.value:
            yield f"{enum.name}.{value.name}", str(value.number)
    for service in file.service:
        for method in service.method:
            stream = "stream " if method.server_streaming else ""
            yield f"{service.name}.{method.name}", f"{method.input_type} -> {stream}{method.output_type}"


def main() -> None:
    """Keeps the present surface. Exits with 1 if it breaks the kept one."""
    present = surface()
    if broken := breaks(json.loads(KEPT.read_text()) if KEPT.exists() else {}, present):
        sys.exit("\n".join(["traceloop.proto would break clients:", *broken]))
    KEPT.write_text(json.dumps(present, indent=1) + "\n")


if __name__ == "__main__":
    main()
