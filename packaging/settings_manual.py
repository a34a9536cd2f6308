# SPDX-License-Identifier: Apache-2.0
"""Prints traceloop.toml(5) for scdoc, made of the daemon's own settings: their tables, defaults, bounds and texts.

Run by `make man`, with the packages of ours on PYTHONPATH.
"""
# ruff: noqa: INP001 - a script

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator

from traceloop_daemon.settings.keys import Config

HEAD = """\
traceloop.toml(5) "traceloop"

# NAME

traceloop.toml - settings of traceloopd

# SYNOPSIS

/etc/traceloop/traceloop.toml++
/etc/traceloop/traceloop.toml.d/\\*.toml

# DESCRIPTION

*traceloopd*(8) reads its settings when it starts: from the first file, then from those of the directory, by name. Of a
key that stands in several, the last one holds. All keys may be left out. A key that there is not, or a value that is
not right, keeps the daemon from starting, and is named with its file and line.

The files are TOML. Sizes are bytes, or such as *"512K"*, *"1M"*, *"2G"* (to the base 1024). Spans of time are seconds,
or such as *"30s"*, *"5min"*, *"12h"*, *"14d"*.
"""
TAIL = """\
# EXAMPLES

/etc/traceloop/traceloop.toml.d/local.toml, for a node with little memory whose secrets stay secret:

```
{example}
```

Check the settings, and take them over:

```
traceloopd --check-config
systemctl restart traceloopd
```

# SEE ALSO

*traceloopd*(8), *traceloop*(7)
"""
EXAMPLE = """\
[ring]
size = "256K"

[record]
exclude_namespaces = ["kube-system"]

[capture]
policy = "no-payload"
"""


def escaped(text: str) -> str:
    """Text in which no letter means anything to scdoc."""
    return re.sub(r"([\\*_\[\]<>#`|+~-])", r"\\\1", text)


def bounds(setting: dataclasses.Field[object]) -> str:
    """What a value has to be, in the words of the daemon's own refusal."""
    for wrong in (1 << 99, object()):
        try:
            setting.metadata["convert"](wrong)
        except ValueError as refusal:
            return str(refusal)
    raise AssertionError(setting.name)


def section(title: str, kind: type) -> Iterator[str]:
    """The keys of a table that are not tables, then each of its tables."""
    yield f"# {title}\n"
    if title != "KEYS":
        for paragraph in (inspect.getdoc(kind) or "").split("\n\n"):
            yield f"{escaped(' '.join(paragraph.split()))}\n"
    for setting in dataclasses.fields(kind):
        if "text" in setting.metadata:
            default = json.dumps(setting.metadata["default"], ensure_ascii=False)
            yield f"*{escaped(setting.name)}* = {escaped(default)}"
            yield f"\t{escaped(setting.metadata['text'])} Value: {escaped(bounds(setting))}.\n"
    for table in dataclasses.fields(kind):
        if "text" not in table.metadata:
            name = table.name if title == "KEYS" else f"{title.strip('[]')}.{table.name}"
            yield from section(f"[{name}]", table.default_factory)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.stdout.write("\n".join((HEAD, *section("KEYS", Config), TAIL.format(example=EXAMPLE.rstrip()))))
