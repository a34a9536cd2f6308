# SPDX-License-Identifier: Apache-2.0
"""Checks JSON values against the part of JSON Schema (2020-12) that docs/show.schema.json uses, strictly.

Every member of an object must be described, so that the schema stays complete; clients need not be as strict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_TYPES: Final[Mapping[str, type]] = {
    "integer": int,
    "string": str,
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
_KNOWN: Final = {
    *("$ref", "$schema", "$defs", "title", "type", "const", "enum", "oneOf", "anyOf"),
    *("properties", "required", "additionalProperties", "items"),
}


def faults(value: object, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Yields a line for each way in which a value does not fit a schema. root: the whole schema, for references."""
    if unknown := schema.keys() - _KNOWN:
        raise ValueError(f"{at}: keywords that are not checked here: {sorted(unknown)}")
    if "$ref" in schema:
        yield from faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    yield from _choices(value, schema, root, at)
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r}, not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r}, none of {schema['enum']}"
    types = schema.get("type", list(_TYPES))
    if type(value) not in [_TYPES[name] for name in (types if isinstance(types, list) else [types])]:
        yield f"{at}: {value!r} is no {types}"
    elif isinstance(value, dict):
        yield from _members(value, schema, root, at)
    elif isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from faults(item, schema["items"], root, f"{at}[{number}]")


def _choices(value: object, schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    for choice, most in (("oneOf", 1), ("anyOf", len(schema.get("anyOf", ())))):
        if choice in schema:
            found = [[*faults(value, one, root, at)] for one in schema[choice]]
            if not 1 <= found.count([]) <= most:
                yield f"{at}: fits {found.count([])} of {choice}; nearest: {min(found, key=len)}"


def _members(value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    if "properties" not in schema and "additionalProperties" not in schema:
        return
    yield from (f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, member in value.items():
        described = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if described is None:
            yield f"{at}: {name} is not described"
        else:
            yield from faults(member, described, root, f"{at}.{name}")
