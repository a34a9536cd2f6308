# SPDX-License-Identifier: Apache-2.0
"""docker: adds our runtime to daemon.json, as one to be chosen by name, or as the default of all containers.

dockerd accepts new runtimes and another default on a reload (dockerd(8), "runtimes", "default-runtime"), but not the
removal of the default runtime: 20.10 then crashes (daemon/info_unix.go, fillPlatformInfo).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from traceloop_cli.engines import dockerd
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.jsontext import remove_member, set_member
from traceloop_cli.engines.model import Change, Plan
from traceloop_cli.engines.running import runs, started_before
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding, Level

RUNTIME: Final = "traceloop"
_CONFIG: Final = Path("/etc/docker/daemon.json")
_DEFAULT: Final = "default-runtime"
_NO_RELOAD: Final = "no reload: dockerd may crash when its default runtime is removed"
_MAY_BE_OLD: Final = f"it may not have read {_CONFIG} yet"
_FLAGS: Final = ("--default-runtime", "--add-runtime")
_FLAG_FILES: Final = (
    "/etc/default/docker",
    "/etc/sysconfig/docker",
    "/etc/systemd/system/docker.service",
    "/etc/systemd/system/docker.service.d/*.conf",
    "/lib/systemd/system/docker.service",
)


class Docker:
    """The engine of containers that request our runtime, or of all containers."""

    name: Final = "docker"
    restart: Final = "systemctl reload docker"
    hard_restart: Final = "systemctl restart docker"

    def version(self, host: Host) -> str | None:
        """Returns the version that dockerd reports, None if it is not installed."""
        program = host.program("dockerd")
        if program is None:
            return None
        words = host.run(program, "--version").split()
        return words[words.index("version") + 1].rstrip(",") if "version" in words[:-1] else "unknown"

    def enable(self, host: Host, *, default: bool) -> Plan:
        """Plans a daemon.json with our runtime."""
        if host.program(host.runtime_wrapper.name) is None and not host.path(host.runtime_wrapper).is_file():
            raise Failed(f"there is no {host.runtime_wrapper}, which docker must run: install it beside the hook")
        self._check_flags(host)
        before = host.read(_CONFIG)
        config = _parse(before)
        text = (before or b"").decode() if before and before.strip() else "{}\n"
        notes = []
        text = set_member(text, ("runtimes", RUNTIME), self._runtime(host, config, default=default))
        if default:
            text = set_member(text, (_DEFAULT,), RUNTIME)
        elif config.get(_DEFAULT) != RUNTIME:
            notes.append(f"only containers started with `docker run --runtime {RUNTIME}` are recorded (all: --default)")
        notes.append("existing containers keep their runtime")
        return Plan([Change(_CONFIG, before, text.encode())], self.restart, notes)

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:  # noqa: ARG002
        """Returns daemon.json without our runtime."""
        config, text = _parse(content), content.decode()
        real = _real(config)
        text = remove_member(text, ("runtimes", RUNTIME))
        if config.get(_DEFAULT) == RUNTIME:
            named = real is not None and real in (config.get("runtimes") or {})
            text = set_member(text, (_DEFAULT,), real) if named else remove_member(text, (_DEFAULT,))
        if json.loads(text).get("runtimes") == {}:
            text = remove_member(text, ("runtimes",))
        return text.encode()

    def restart_after(self, plan: Plan) -> str:
        """Returns a restart if our runtime was the default: dockerd 20.10 crashes on a reload that removes it."""
        for change in plan.changes:
            if _parse(change.before).get(_DEFAULT) == RUNTIME:
                return f"{self.hard_restart}  ({_NO_RELOAD})"
        return self.restart

    def leftovers(self, host: Host) -> list[Path]:
        """Returns daemon.json, if our runtime is in it."""
        return [_CONFIG] if RUNTIME in (_parse(host.read(_CONFIG)).get("runtimes") or {}) else []

    def findings(self, host: Host) -> Iterator[Finding]:
        """Yields findings about our runtime in daemon.json, and in the running dockerd."""
        config = _parse(host.read(_CONFIG))
        yield from self._configured(host, config)
        if host.root == Path("/"):
            yield from self._running(host, config)

    def _configured(self, host: Host, config: dict[str, Any]) -> Iterator[Finding]:
        enable = f"traceloopctl engine enable {self.name}"
        runtime = (config.get("runtimes") or {}).get(RUNTIME)
        if runtime is None:
            what = f"{_CONFIG} has no runtime {RUNTIME}"
            yield Finding(self.name, Level.WARNING, what, "containers are not recorded", f"{enable} [--default]")
            return
        path = str(runtime.get("path", ""))
        if not host.path(path).is_file():
            why = f"containers with the runtime {RUNTIME} do not start"
            yield Finding(self.name, Level.ERROR, f"{_CONFIG} names {path}, which does not exist", why, enable)
            return
        everything = config.get(_DEFAULT) == RUNTIME
        whose = "all containers" if everything else f"containers started with --runtime {RUNTIME}"
        level = Level.OK if everything else Level.BY_FLAG
        yield Finding(self.name, level, f"{_CONFIG} names {path} for {whose}")

    def _running(self, host: Host, config: dict[str, Any]) -> Iterator[Finding]:
        try:
            running = dockerd.ask(host, config.get("hosts"))
        except PermissionError:
            what = "only root may ask dockerd which runtimes it has"
            yield Finding(self.name, Level.UNKNOWN, what, _MAY_BE_OLD, "run this as root", is_unsure=True)
            return
        except Failed as error:
            yield Finding(
                self.name, Level.WARNING, str(error), _MAY_BE_OLD, self.hard_restart, is_unsure=_is_older(host)
            )
            return
        if running is None:
            if runs("dockerd"):
                what, remedy = "dockerd runs, but does not answer", f"docker info, then {self.restart} if necessary"
                yield Finding(self.name, Level.UNKNOWN, what, _MAY_BE_OLD, remedy, is_unsure=_is_older(host))
            return
        has, wanted = running.runtimes.get(RUNTIME), (config.get("runtimes") or {}).get(RUNTIME)
        is_default, to_be_default = running.default == RUNTIME, config.get(_DEFAULT) == RUNTIME
        if is_default and not to_be_default:
            what = f"dockerd still runs all containers with {has['path'] if has else RUNTIME}"
            why = f"{_CONFIG} no longer names it, but dockerd was not restarted; {_NO_RELOAD}"
            yield Finding(self.name, Level.WARNING, what, why, self.hard_restart, is_due=True)
        elif is_default != to_be_default or _words(has) != _words(wanted):
            what = f"dockerd has not read the runtime {RUNTIME} in {_CONFIG}"
            why = "the file was changed, but dockerd was not reloaded"
            yield Finding(self.name, Level.WARNING, what, why, self.restart, is_due=True)

    def _runtime(self, host: Host, config: dict[str, Any], *, default: bool) -> dict[str, Any]:
        words = [f"--traceloop-socket={host.socket}"] if host.socket else []
        real = _real(config) or (config.get(_DEFAULT) if default else None)
        if real not in (None, RUNTIME, "runc", "io.containerd.runc.v2"):
            named = (config.get("runtimes") or {}).get(real)
            if not isinstance(named, dict) or not named.get("path") or named.get("runtimeArgs"):
                raise Failed(
                    f"{_CONFIG}: the default runtime {real} has no `path`, or has arguments, so traceloop-runtime "
                    "cannot wrap it: enable docker without --default"
                )
            words.insert(0, f"--traceloop-runtime={named['path']}")
        return {"path": str(host.runtime_wrapper), **({"runtimeArgs": words} if words else {})}

    def _check_flags(self, host: Host) -> None:
        for pattern in _FLAG_FILES:
            for path in host.matching(pattern):
                text = (host.read(path) or b"").decode(errors="replace")
                lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
                for flag in _FLAGS:
                    if any(flag in line for line in lines):
                        raise Failed(
                            f"{path} has {flag}: dockerd accepts runtimes from flags or from {_CONFIG}, not from both: "
                            f"move them into {_CONFIG}"
                        )


def _is_older(host: Host) -> bool:
    # Returns whether a dockerd runs that began before its file was changed, or removed, which changes the directory.
    return started_before("dockerd", (host.path(_CONFIG), host.path(_CONFIG.parent)))


def _real(config: dict[str, Any]) -> str | None:
    # Returns the name in `runtimes` of the runtime that ours wraps, None if that is runc or is not listed.
    ours = (config.get("runtimes") or {}).get(RUNTIME)
    words = ours.get("runtimeArgs") or [] if isinstance(ours, dict) else []
    paths = [word.partition("=")[2] for word in words if str(word).startswith("--traceloop-runtime=")]
    for name, runtime in (config.get("runtimes") or {}).items():
        if paths and isinstance(runtime, dict) and runtime.get("path") == paths[0]:
            return str(name)
    return None


def _words(runtime: Any) -> list[str]:
    return [str(runtime.get("path")), *(runtime.get("runtimeArgs") or [])] if isinstance(runtime, dict) else []


def _parse(data: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(data) if data and data.strip() else {}
    except ValueError as error:
        raise Failed(f"{_CONFIG} is not JSON, so dockerd cannot read it either: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("runtimes") or {}, dict):
        raise Failed(f"{_CONFIG} is not valid for dockerd: it, or its `runtimes`, is not a JSON object")
    return value
