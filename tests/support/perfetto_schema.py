# SPDX-License-Identifier: Apache-2.0
"""Perfetto's own schema, from PyPI's package `perfetto`, and traces read by it.

The package's generated module needs a newer protobuf than the oldest that we support. So the schema is taken out of the
module's source, in which it stands as one string of bytes, and put into a pool of its own.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_MODULE = "perfetto/protos/perfetto/trace/perfetto_trace_pb2.py"
_TRACE = "perfetto.protos.Trace"


@cache
def _trace_class() -> Any:
    spec = find_spec("perfetto")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parents[1].joinpath(_MODULE).read_text()
    (schema,) = (
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(schema))
    descriptor = pool.FindMessageTypeByName(_TRACE)
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and later
        return message_factory.GetMessageClass(descriptor)
    factory: Any = message_factory.MessageFactory(pool)
    return factory.GetPrototype(descriptor)


def read(data: bytes) -> Any:
    """Returns the message perfetto.protos.Trace that these bytes are."""
    return _trace_class().FromString(data)


def unknown_fields(message: Any) -> list[str]:
    """Returns where a message, or one in it, has fields that the schema does not know."""
    found = []
    try:
        from google.protobuf import unknown_fields as module

        unknown = len(module.UnknownFieldSet(message))
    except ImportError:  # protobuf 4.21
        unknown = len(message.UnknownFields())
    if unknown:
        found.append(message.DESCRIPTOR.full_name)
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in [value] if hasattr(value, "DESCRIPTOR") else value:
                found += unknown_fields(one)
    return found
