# SPDX-License-Identifier: Apache-2.0
"""Groups of netlink attributes, compiled from their tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from traceloop_decode.printers import (
    netlink_diag_groups,
    netlink_diag_values,
    netlink_route_groups,
    netlink_route_values,
)
from traceloop_decode.printers.netlink_attributes import Group, Value
from traceloop_decode.printers.netlink_values import value_of
from traceloop_decode.values.xlat import XLATS

_TABLES: Final = netlink_route_groups.GROUPS | netlink_diag_groups.GROUPS
_VALUES: Final = netlink_route_values.VALUES | netlink_diag_values.VALUES
_NAMES: Final = {"nla_link_names": "nla_link"}  # groups with the types of another one


def _compiled(name: str, words: Mapping[str, str]) -> Group:
    names = XLATS[_NAMES.get(name, name)]
    numbers = {text: number for number, text in names.entries}
    values = dict[int, Value]()
    for word, types in words.items():
        value = _VALUES[word] if word in _VALUES else value_of(word)
        values |= {numbers[text]: value for text in types.split()}
    return Group(names, values)


@cache
def groups() -> Mapping[str, Group]:
    """Returns the groups by the names of their tables of types in `constants`."""
    return {name: _compiled(name, words) for name, words in _TABLES.items()}
