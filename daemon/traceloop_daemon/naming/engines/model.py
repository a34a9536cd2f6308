# SPDX-License-Identifier: Apache-2.0
"""The description of an engine that its module gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from traceloop_bpf.births import Kind, Suffix

ID: Final = re.compile(r"([0-9a-f]{64})(?:\.scope)?")
"""An id as engines make them, at the end of a cgroup's name."""
_ENDS: Final = {Suffix.FREE: "", Suffix.SCOPE: ".scope", Suffix.SERVICE: ".service"}


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a cgroup's name; see traceloop_bpf.births.Shape. is_container: False for an engine's other cgroups."""

    kind: Kind
    text: str
    suffix: Suffix = Suffix.FREE
    is_container: bool = True

    def fits(self, name: str, parent: str) -> bool:
        """Returns whether a cgroup's name has this form, as far as it can be told once the cgroup is made."""
        begins, end = name.startswith(self.text), _ENDS[self.suffix]
        has_id = ID.fullmatch(name.removeprefix(self.text if self.kind is Kind.ID else "")) is not None
        fits = {
            Kind.NAME: name == self.text,
            Kind.BEGINS: begins,
            Kind.ID: begins and has_id,
            Kind.BELOW: parent == self.text and has_id,
            Kind.RUNTIME: False,
        }
        return fits[self.kind] and name.endswith(end)


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine or a runtime. forms: of its cgroups' names, of which the first that fits decides.

    bundles: patterns of the directories of its containers' OCI bundles, below the root; {id}: the container's id.
    """

    name: str
    forms: tuple[Form, ...] = ()
    bundles: tuple[str, ...] = ()
