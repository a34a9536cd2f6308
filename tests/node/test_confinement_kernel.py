# SPDX-License-Identifier: Apache-2.0
"""A real AppArmor that denies the hook its socket delays no container, and the doctor finds the cause.

Debian's own kernel has AppArmor, in the virtual machine of `make test-kernels`.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from lab.bundle import HOOK

from traceloop_cli.checks import confinement
from traceloop_cli.checks.model import Machine
from traceloop_cli.engines.host import Host
from traceloop_cli.findings import Level

pytestmark = [pytest.mark.kernel, pytest.mark.vm]

ENABLED = Path("/sys/module/apparmor/parameters/enabled")
# An engine's profile without rules for us: it allows all files, programs and the network, but no Unix sockets. Kernels
# such as Debian's check these where they are created, never where they connect, whatever the profile says of files.
PROFILE = "profile strict-engine { file, capability, signal, network inet, network inet6, network netlink, }\n"
# Mounts securityfs in a namespace of its own, so that the machine's file systems stay as they are.
CONFINED = 'mount -t securityfs none /sys/kernel/security; apparmor_parser --replace "$1"; exec aa-exec -p strict-engine "$2" start --wait --socket "$3"'


def test_a_hook_that_apparmor_denies_its_socket(tmp_path):
    if not ENABLED.exists() or ENABLED.read_text() != "Y\n" or not shutil.which("apparmor_parser"):
        pytest.skip("needs a kernel with AppArmor, and its apparmor_parser: `make test-kernels` has both")
    profile = tmp_path / "profile"
    profile.write_text(PROFILE)
    directory = Path("/run/traceloop-confined")
    directory.mkdir()
    path = directory / "hook.sock"
    state = json.dumps({"ociVersion": "1.0.2", "id": "confined", "pid": 1})
    try:
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.bind(str(path))
            daemon.listen()
            words = ["unshare", "--mount", "--propagation=private", "sh", "-euc", CONFINED, "sh", profile, HOOK, path]
            hook = subprocess.run(words, input=state, capture_output=True, text=True, timeout=120, check=False)
    finally:
        path.unlink(missing_ok=True)
        directory.rmdir()
    assert (hook.returncode, "Permission denied" in hook.stderr) == (0, True), hook.stderr
    found = list(confinement.findings(Machine(Host(), "unix:/run/traceloop/traceloop.sock", tmp_path)))
    (denied,) = [one for one in found if one.level is Level.WARNING]
    assert denied.what == "AppArmor denied create of a unix socket to traceloop-hook, under the profile strict-engine"
    assert "add `network unix stream,` to that profile" in denied.remedy
