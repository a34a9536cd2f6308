# SPDX-License-Identifier: Apache-2.0
"""A host below a temporary directory, with scripts that print the versions of engines in place of the engines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from traceloop_cli.commands.engine import command
from traceloop_cli.engines import findings
from traceloop_cli.engines.host import Host
from traceloop_cli.errors import CliError
from traceloop_cli.findings import Finding

HOOK = "usr/libexec/oci/hooks.d/traceloop-hook"
HOOKS_D = "usr/share/containers/oci/hooks.d"
OUR_FILES = [f"{HOOKS_D}/traceloop-poststop.json", f"{HOOKS_D}/traceloop-prestart.json"]
PACKAGED = Path(__file__).parents[2] / "packaging/hooks.d"
VERSIONS = {  # as these programs print them
    "podman": "podman version 4.3.1",
    "crio": "crio version 1.29.1\nVersion:        1.29.1\nGoVersion:      go1.21.1",
    "dockerd": "Docker version 20.10.24+dfsg1, build 5d6db84",
    "nerdctl": "nerdctl version 1.7.6",
    "ctr": "ctr github.com/containerd/containerd 1.6.20~ds1",
}


@dataclass
class Made:
    """A host below a directory, with our hook and wrapper in it."""

    root: Path

    def write(self, path: str, content: str, mode: int = 0o644) -> Path:
        made = self.root / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(content)
        made.chmod(mode)
        return made

    def program(self, name: str) -> None:
        self.write(f"usr/bin/{name}", f"#!/bin/sh\ncat <<'END'\n{VERSIONS[name]}\nEND\n", 0o755)

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.root)): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file()}

    def __call__(self, *words: str, fails: bool = False) -> str:
        """Runs a verb; returns its output, or its error message if it is to fail."""
        result = CliRunner().invoke(command, [*words, "--root", str(self.root)])
        if fails:
            assert isinstance(result.exception, CliError), result.output
            return str(result.exception)
        assert result.exception is None, result.output + repr(result.exception)
        return result.output

    def findings(self) -> list[Finding]:
        return [*findings(Host(self.root))]


@pytest.fixture
def host(tmp_path: Path) -> Made:
    made = Made(tmp_path / "host")
    made.write("bin/sh", "", 0o755)
    for name in ("traceloop-hook", "traceloop-runtime"):
        made.write(f"{HOOK.rpartition('/')[0]}/{name}", "#!/bin/sh\n", 0o755)
    return made
