# SPDX-License-Identifier: Apache-2.0
"""Prints traceloop.toml(5) for scdoc, generated from the daemon's settings: tables, defaults, bounds and texts.

`make man` runs this, with our packages on PYTHONPATH.
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

*traceloopd*(8) reads its settings when it starts: first the file, then those in the directory, sorted by name. The last
value of a key is effective. All keys are optional. An unknown key or an invalid value keeps the daemon from starting;
the error names its file and line.

The files are TOML. Sizes are bytes, or text such as *"512K"*, *"1M"*, *"2G"* (to the base 1024). Spans of time are
seconds, or text such as *"30s"*, *"5min"*, *"12h"*, *"14d"*.
"""
TAIL = """\
# EXAMPLES

/etc/traceloop/traceloop.toml.d/local.toml, for a node with little memory that records no payload:

```
{example}
```

Check the settings, and apply them:

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
    """Escapes all characters that are special to scdoc."""
    return re.sub(r"([\\*_\[\]<>#`|+~-])", r"\\\1", text)


def bounds(setting: dataclasses.Field[object]) -> str:
    """Returns what a setting's value must be, in the words of the daemon's error line."""
    for wrong in (1 << 99, object()):
        try:
            setting.metadata["convert"](wrong)
        except ValueError as refusal:
            return str(refusal)
    raise AssertionError(setting.name)


def section(title: str, kind: type) -> Iterator[str]:
    """Yields the lines of a table: its keys, then its subtables."""
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
