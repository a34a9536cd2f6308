# SPDX-License-Identifier: Apache-2.0
"""Parses Prometheus' text format as strictly as its specification and its conventions for names allow."""

from __future__ import annotations

import re

# "Exposition formats", "Text format details". Samples carry no timestamps here.
COMMENT = re.compile(r"# (HELP|TYPE) ([a-z][a-z0-9_]*) (.+)")
SAMPLE = re.compile(r"([a-z][a-z0-9_]*)(?:\{(\w+)=\"([^\"\\\n]*)\"\})? (\d+(?:\.\d+)?(?:e[+-]\d+)?)")


class Family:
    """A metric. samples: (suffix of its name, label, label's value) -> value."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind: str | None = None
        self.samples: dict[tuple[str, str | None, str | None], float] = {}

    def label(self) -> str | None:
        (label,) = {label for behind, label, _ in self.samples if not behind}
        return label

    def value(self, value: str | None = None) -> float:
        return self.samples["", self.label(), value]


def parsed(text: str) -> dict[str, Family]:
    """Parses the text into metrics by name; AssertionError if Prometheus could not read it, or conventions forbid."""
    families: dict[str, Family] = {}
    name = ""
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if found := COMMENT.fullmatch(line):
            word, of, rest = found.groups()
            if word == "HELP":
                assert of not in families, "once each"
                name, families[of] = of, Family(rest)
            else:
                assert of == name, "HELP, TYPE, then the samples"
                assert families[name].kind is None
                assert not families[name].samples
                assert rest in ("counter", "gauge", "histogram")
                families[name].kind = rest
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        of, label, value, number = found.groups()
        family = families[name]
        behind = of.removeprefix(name)
        assert of.startswith(name)
        assert behind in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
        assert (behind, label, value) not in family.samples
        family.samples[behind, label, value] = float(number)
    for name, family in families.items():
        assert family.samples
        assert name.endswith("_total") == (family.kind == "counter"), name
        if family.kind == "histogram":
            check_histogram(family)
    return families


def check_histogram(family: Family) -> None:
    buckets = {value: number for (behind, _, value), number in family.samples.items() if behind == "_bucket"}
    bounds = [float(value or "") for value in buckets]
    assert bounds == sorted(bounds)
    assert list(buckets)[-1] == "+Inf"
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets["+Inf"] == family.samples["_count", None, None]
    assert ("_sum", None, None) in family.samples
