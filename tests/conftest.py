# SPDX-License-Identifier: Apache-2.0
"""Fixtures, and the checks of what a test needs: the kernel, a runtime, systemd, an engine or a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import cache
from pathlib import Path

import chromium
import pytest
from recorded_cgroups import Container, Workloads, cgroup2_mount

from traceloop_bpf import compiled_cache
from traceloop_bpf.tracer import Tracer

if importlib.util.find_spec("hypothesis") is not None:  # packages are built and tested without it
    from hypothesis import settings

    # A busy machine takes any time for an example, and a run must not depend on chance: `make fuzz` tries new ones.
    settings.register_profile("tests", deadline=None, derandomize=True)
    settings.load_profile("tests")


@cache
def _kernel_lacks() -> str | None:
    checks = {
        "root": os.geteuid() == 0,
        "/sys/kernel/btf/vmlinux": Path("/sys/kernel/btf/vmlinux").exists(),
        "a mounted cgroup2": cgroup2_mount() is not None,
        "python3-bpfcc": importlib.util.find_spec("bcc") is not None,
        "gcc": shutil.which("gcc") is not None,
    }
    return next((what for what, there in checks.items() if not there), None)


@cache
def _runtime_lacks() -> str | None:
    return None if shutil.which("runc") else "runc"


@cache
def _systemd_lacks() -> str | None:
    return None if Path("/lib/systemd/systemd").exists() else "systemd"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("engine"):
        (program,) = marker.args
        if shutil.which(program) is None:
            if os.environ.get("TRACELOOP_REQUIRE_ENGINES") == "1":
                pytest.fail(f"needs {program}, and TRACELOOP_REQUIRE_ENGINES=1 forbids to skip", pytrace=False)
            pytest.skip(f"needs {program}: `make test-engines` installs it")
    if item.get_closest_marker("browser") and chromium.program() is None:
        if os.environ.get("TRACELOOP_REQUIRE_BROWSER") == "1":
            pytest.fail("needs Chromium, and TRACELOOP_REQUIRE_BROWSER=1 forbids to skip", pytrace=False)
        pytest.skip("needs Chromium: `make test-browser` installs it")
    for marker, lacks in (("kernel", _kernel_lacks), ("runtime", _runtime_lacks), ("systemd", _systemd_lacks)):
        if item.get_closest_marker(marker) and (what := lacks()):
            if os.environ.get("TRACELOOP_REQUIRE_KERNEL") == "1":
                pytest.fail(f"needs {what}, and TRACELOOP_REQUIRE_KERNEL=1 forbids to skip", pytrace=False)
            pytest.skip(f"needs {what}")


def pytest_configure() -> None:
    compiled = Path(__file__).parents[1] / "build/compiled"  # as the unit's CacheDirectory= does for the daemon
    compiled.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[compiled_cache.DIRECTORY] = str(compiled)
    if os.environ.get("TRACELOOP_REQUIRE_KERNEL") == "1" and importlib.util.find_spec("hypothesis") is None:
        raise pytest.UsageError("needs Hypothesis, and TRACELOOP_REQUIRE_KERNEL=1 forbids to skip: run `make setup`")
    with suppress(ModuleNotFoundError):
        hypothesis = importlib.import_module("hypothesis")
        # On a busy machine nothing is quick.
        hypothesis.settings.register_profile("busy", suppress_health_check=[hypothesis.HealthCheck.too_slow])
        hypothesis.settings.load_profile("busy")


@pytest.fixture(scope="session")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Workloads:
    """Compiles workloads: `workload("name")` is the path of the compiled tests/workloads/name.c."""
    return Workloads(tmp_path_factory.mktemp("workloads"))


@pytest.fixture(scope="session")
def tracer() -> Iterator[Tracer]:
    """The recorder as the daemon loads it, for all tests that need no other sizes."""
    with closing(Tracer.load()) as tracer:
        yield tracer


@pytest.fixture
def container(tracer: Tracer) -> Iterator[Container]:
    """A recorded cgroup."""
    with Container(tracer) as container:
        yield container


@pytest.fixture
def containers(tracer: Tracer) -> Iterator[Callable[..., Container]]:
    """A factory of recorded cgroups, which all end with the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Container(tracer, **settings))
