# SPDX-License-Identifier: Apache-2.0
"""traceloop-runtime and the programs that it runs, as `make setup` installed them, and the hooks that they add."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

SOURCE = Path(sys.executable).with_name("traceloop-runtime")
HOOK = SOURCE.with_name("traceloop-hook")
ADDER = SOURCE.with_name("traceloop-add-hooks")
_SOURCE_OF_ADDER = Path(__file__).parents[2] / "hook/traceloop_hook" / ADDER.name  # test_hook_alone.py compares them


def _load() -> ModuleType:
    loader = SourceFileLoader("traceloop_add_hooks", str(_SOURCE_OF_ADDER))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


adder = _load()


def our_hooks(hook: Path = HOOK, *extra: str) -> dict[str, list[dict[str, object]]]:
    return {
        stage: [{"path": "/bin/sh", "args": ["sh", "-c", adder.GUARD, str(hook), word, *extra]}]
        for stage, word in {"prestart": "start", "poststop": "stop"}.items()
    }
