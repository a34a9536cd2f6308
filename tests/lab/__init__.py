# SPDX-License-Identifier: Apache-2.0
"""Real containers and a real daemon in private directories, for tests, benchmarks and the demo.

::

    with TemporaryDirectory(prefix="traceloop-") as name:
        directory = Path(name)
        root = make_root(directory / "root")
        with Daemon() as daemon, Runc(directory / "runc") as runc:
            bundle = make_bundle(directory / "b", root, ["sh", "-c", "echo 42"], hooks=hooks(daemon.hook_socket))
            assert runc.run(bundle, "c1").stdout == "42\\n"
            assert daemon.ctl("list").returncode == 0

All parts need root and leave nothing behind after their `with` block. `cgroup_name` makes the names of cgroups.
"""

from lab.bundle import cgroup_name, hooks, make_bundle, pod_annotations
from lab.busybox import make_root
from lab.daemon import Daemon
from lab.runc import Runc

__all__ = ["Daemon", "Runc", "cgroup_name", "hooks", "make_bundle", "make_root", "pod_annotations"]
