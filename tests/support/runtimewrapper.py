# SPDX-License-Identifier: Apache-2.0
"""traceloop-runtime and what it runs, where `make setup` put them, and the hooks that they add."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

SOURCE = Path(sys.executable).with_name("traceloop-runtime")
HOOK = SOURCE.with_name("traceloop-hook")
ADDER = SOURCE.with_name("traceloop-add-hooks")
_SOURCE_OF_ADDER = Path(__file__).parents[2] / "hook/traceloop_hook" / ADDER.name  # the same: test_hook_alone.py


def _load():
    loader = SourceFileLoader("traceloop_add_hooks", str(_SOURCE_OF_ADDER))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


adder = _load()


def our_hooks(hook: Path = HOOK, *extra: str) -> dict[str, list[dict[str, object]]]:
    return {
        stage: [{"path": "/bin/sh", "args": ["sh", "-c", adder.GUARD, str(hook), word, *extra]}]
        for stage, word in {"prestart": "start", "poststop": "stop"}.items()
    }
