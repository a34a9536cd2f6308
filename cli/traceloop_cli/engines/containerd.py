# SPDX-License-Identifier: Apache-2.0
"""containerd under Kubernetes' CRI, 1.6 to 2.x: hooks through the `base_runtime_spec` of its runtimes.

That specification is the OCI configuration that every container but a pause container starts from (containerd,
docs/cri/config.md). `ctr oci spec` generates it, or it extends the one that a runtime already has. Theory of operation:

- containerd reads its configuration and the specification when it starts, and its CRI plugin fails if the specification
  is missing: so it lies beside config.toml, is written first and removed last;
- up to containerd 2.0 a drop-in replaces the whole CRI section of the files before it (cmd/containerd/server/config).
  So a drop-in is made only if no file has such a section and a directory is imported; otherwise the key goes into the
  last file with such a section, which is the effective one;
- afterwards `containerd config dump` must be unchanged except for our file in each runtime; otherwise all is undone;
- nothing checks the hook when a container starts, and the specification may outlive the hook: see guard.py.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from traceloop_cli.engines import tomltext
from traceloop_cli.engines.cri import base_runtime_specs
from traceloop_cli.engines.guard import guarded
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Change, Plan
from traceloop_cli.engines.running import started_before
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding, Level

_CONFIG: Final = Path("/etc/containerd/config.toml")
_SOCKET: Final = "/run/containerd/containerd.sock"
_SPEC: Final = "traceloop-{}.json"  # a runtime's specification, beside the configuration
_KEY: Final = "base_runtime_spec"
_PLUGINS: Final = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}  # by the configuration's version
_TYPES: Final = ("io.containerd.runc.v1", "io.containerd.runc.v2")
_HOOK_STAGES: Final = {"prestart": "start", "poststop": "stop"}
_FILES_MAX: Final = 1000  # imports may form a circle


class Containerd:
    """The engine of pods' containers, without pause containers and those of docker, nerdctl and ctr."""

    name: Final = "containerd"
    restart: Final = "systemctl restart containerd"

    def version(self, host: Host) -> str | None:
        """Returns the version that containerd reports, None if it is not installed."""
        # "containerd NAME VERSION REVISION"; VERSION and REVISION may each be missing
        word = host.version(self.name, 2)
        return word.partition("~")[0] if word else None

    def enable(self, host: Host, *, default: bool) -> Plan:  # noqa: ARG002 - all containers in any case
        """Plans a specification for each runtime, and the configuration that names it."""
        old = self._effective(host)
        runtimes = _runtimes(old)
        if not runtimes:
            raise Failed(f"containerd has no runtime of type {' or '.join(_TYPES)}; no other type runs hooks")
        files = self._files(host)
        path = self._place(host, files)
        before = host.read(path)
        version = _version(files.get(path) or files.get(_CONFIG) or {"version": old.get("version", 2)})
        text = before.decode() if before is not None else f"version = {version}\n"
        specs = []
        for name, runtime in runtimes.items():
            spec = _CONFIG.with_name(_SPEC.format(name))
            specs.append(Change(spec, host.read(spec), self._spec(host, spec, runtime)))
            table = ("plugins", _PLUGINS[version], "containerd", "runtimes", name)
            try:
                text = tomltext.set_key(text, table, _KEY, str(spec), _said(runtime))
            except ValueError as error:
                raise Failed(
                    f"{path}: cannot add {_KEY} = {str(spec)!r} to {'.'.join(table)} ({error}): add it by hand"
                ) from error
        changes = [*specs, Change(path, before, text.encode())]
        notes = ["containers that are already running are recorded after their next start"]
        return Plan(changes, self.restart, notes, lambda: self._verify(host, old))

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:  # noqa: ARG002
        """Returns a configuration without our key, None for a specification, which is removed."""
        return tomltext.strip(content.decode()).encode() if path.suffix == ".toml" else None

    def restart_after(self, plan: Plan) -> str:  # noqa: ARG002
        """Returns the same command as after `enable`."""
        return self.restart

    def leftovers(self, host: Host) -> list[Path]:
        """Returns configuration files with our marks, then specifications with our names."""
        files = [
            p for p in self._files(host) if (data := host.read(p)) and tomltext.strip(data.decode()) != data.decode()
        ]
        return [*files, *host.matching(str(_CONFIG.with_name(_SPEC.format("*"))))]

    def findings(self, host: Host) -> Iterator[Finding]:
        """Yields findings about each runtime's specification and hook, and whether containerd has read them."""
        enable = "traceloopctl engine enable containerd"
        config = self._effective(host)
        for name, runtime in _runtimes(config).items():
            spec = runtime.get(_KEY) or ""
            data = host.read(spec) if spec else None
            if spec and data is None:
                why = "containerd's CRI plugin will not start, and so no pod"
                yield Finding(self.name, Level.ERROR, f"runtime {name}: {spec} does not exist", why, enable)
            elif data is None or not _has_hooks(data):
                what = f"runtime {name}: its {_KEY} does not run the hook"
                yield Finding(self.name, Level.WARNING, what, "its containers are not recorded", enable)
            else:
                yield from self._judge(host, name, Path(spec), data)
        if host.root == Path("/"):
            yield from self._running(host, config)

    def _running(self, host: Host, config: dict[str, Any]) -> Iterator[Finding]:
        # Asks containerd which specifications it loaded: a removed file has no time to compare with.
        wanted = {name: str(runtime.get(_KEY) or "") for name, runtime in _runtimes(config).items()}
        try:
            running = base_runtime_specs(host.path((config.get("grpc") or {}).get("address") or _SOCKET))
        except PermissionError:
            what, why = "only root may ask containerd what it loaded", "it may not have read its configuration yet"
            yield Finding(self.name, Level.UNKNOWN, what, why, "run this as root", is_unsure=True)
            return
        if running is None:
            files = [*self._files(host), *map(Path, filter(None, wanted.values()))]
        else:
            files = [Path(spec) for spec in wanted.values() if _is_our_spec(spec)]
        differ = [
            name
            for name, spec in wanted.items()
            if running is not None and (has := running.get(name, "")) != spec and any(map(_is_our_spec, (has, spec)))
        ]
        if differ or started_before(self.name, files):
            what = "containerd was started before its configuration was changed"
            if differ:
                what += f", and has not read the change: runtime {', '.join(differ)}"
            yield Finding(self.name, Level.WARNING, what, "it reads its files at start", self.restart, is_due=True)

    def _judge(self, host: Host, name: str, spec: Path, data: bytes) -> Iterator[Finding]:
        enable = "traceloopctl engine enable containerd"
        hook = next(Path(ours) for ours in map(guarded, _entries(json.loads(data), "prestart")) if ours)
        if not host.path(hook).is_file():
            what, why = f"runtime {name}: the hook {hook} does not exist", "containers start, but are not recorded"
            yield Finding(self.name, Level.WARNING, what, why, enable)
        elif spec == _CONFIG.with_name(_SPEC.format(name)) and _without_hooks(data) != self._base(host, spec):
            what = f"runtime {name}: {spec} differs from the default of the installed containerd"
            yield Finding(self.name, Level.WARNING, what, "it was made for another version, or edited", enable)
        else:
            yield Finding(self.name, Level.OK, f"runtime {name}: {spec} runs {hook}")

    # -- the specification

    def _spec(self, host: Host, spec: Path, runtime: dict[str, Any]) -> bytes:
        theirs = runtime.get(_KEY) or ""
        if theirs and Path(theirs) != spec:
            data = host.read(theirs)
            if data is None:
                raise Failed(
                    f"{_KEY} = {theirs!r} does not exist, so containerd's CRI plugin cannot start: fix that first"
                )
            base = _parse(theirs, data)
        else:
            base = self._base(host, spec)
        for stage, word in _HOOK_STAGES.items():
            hooks = base["hooks"] = base.get("hooks") or {}
            others = [hook for hook in hooks.get(stage) or [] if host.hook.name not in json.dumps(hook)]
            hooks[stage] = [*others, host.hook_entry(word)]
        return (json.dumps(base, indent=2) + "\n").encode()

    def _base(self, host: Host, spec: Path) -> dict[str, Any]:
        # Returns what our specification is derived from: the one that it replaced, or containerd's default.
        replaced = self._replaced(host, spec)
        data = host.read(replaced) if replaced else None
        if data is None:
            program = host.program("ctr")
            if program is None:
                raise Failed(
                    "ctr is not installed, which generates the specification: install it, it is part of containerd"
                )
            data = host.run(program, "oci", "spec").encode()
        value = _parse(replaced or "ctr oci spec", data)
        if not replaced:
            # The CRI plugin would not set these: by default containers inherit containerd's own limits.
            value["process"].pop("rlimits", None)
        return value

    def _replaced(self, host: Host, spec: Path) -> str | None:
        for path in self._files(host):
            stripped = tomllib.loads(tomltext.strip((host.read(path) or b"").decode()))
            for plugin in _PLUGINS.values():
                runtimes = _section(stripped, plugin).get("containerd", {}).get("runtimes", {})
                for name, runtime in runtimes.items():
                    if spec.name == _SPEC.format(name) and runtime.get(_KEY):
                        return str(runtime[_KEY])
        return None

    # -- the configuration

    def _effective(self, host: Host) -> dict[str, Any]:
        program = host.program(self.name)
        assert program is not None
        there = host.read(_CONFIG) is not None
        words = ["--config", host.path(_CONFIG), "config", "dump"] if there else ["config", "default"]
        try:
            value = tomllib.loads(host.run(program, *words))
        except tomllib.TOMLDecodeError as error:
            raise Failed(f"{program} {' '.join(map(str, words))} does not print TOML: {error}") from error
        _version(value)  # raises Failed if it is not supported
        disabled = value.get("disabled_plugins") or []
        if {"cri", *_PLUGINS.values()} & set(disabled):
            raise Failed(
                f"the CRI plugin is disabled in {_CONFIG}, so containerd runs no pods; for docker: engine enable docker"
            )
        return value

    def _verify(self, host: Host, old: dict[str, Any]) -> None:
        new = self._effective(host)
        for name, runtime in _runtimes(new).items():
            spec = str(_CONFIG.with_name(_SPEC.format(name)))
            if runtime.get(_KEY) != spec:
                raise Failed(
                    f"containerd does not see {_KEY} = {spec!r} of runtime {name}; the files were restored: "
                    f"set {_KEY} by hand"
                )
        if _meaning(new) != _meaning(old):
            raise Failed(
                f"the edit would change more for containerd than {_KEY}; the files were restored: set {_KEY} by hand"
            )

    def _files(self, host: Host) -> dict[Path, dict[str, Any]]:
        # Reading order: a file comes before the files that it imports.
        found: dict[Path, dict[str, Any]] = {}
        waiting = [_CONFIG]
        while waiting and len(found) < _FILES_MAX:
            path = waiting.pop(0)
            if path in found or host.read(path) is None:
                continue
            found[path] = host.toml(path)
            for pattern in found[path].get("imports") or []:
                waiting += host.matching(str(path.parent / pattern))
        return found

    def _place(self, host: Host, files: dict[Path, dict[str, Any]]) -> Path:
        with_section = [path for path, value in files.items() if _section(value, _PLUGINS[_version(value)])]
        if with_section:
            return with_section[-1]
        for pattern in files.get(_CONFIG, {}).get("imports") or []:
            directory = (_CONFIG.parent / str(pattern)).parent
            if Path(str(pattern)).name == "*.toml" and host.path(directory).is_dir():
                return directory / "traceloop.toml"
        return _CONFIG


def _version(config: dict[str, Any]) -> int:
    version = config.get("version", 2 if not config.get("plugins") else 1)
    if version not in _PLUGINS:
        raise Failed(f"{_CONFIG} has the unsupported version {version}: `containerd config migrate` converts it")
    return int(version)


def _is_our_spec(spec: str) -> bool:
    return Path(spec).match(str(_CONFIG.with_name(_SPEC.format("*"))))


def _section(config: dict[str, Any], plugin: str) -> dict[str, Any]:
    section = (config.get("plugins") or {}).get(plugin)
    return section if isinstance(section, dict) else {}


def _runtimes(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = _section(config, _PLUGINS[_version(config)]).get("containerd", {}).get("runtimes") or {}
    return {name: runtime for name, runtime in found.items() if runtime.get("runtime_type") in _TYPES}


def _said(runtime: dict[str, Any]) -> dict[str, Any]:
    # Returns what a new table must repeat, since containerd applies no defaults to a runtime that has a table.
    plain = {name: value for name, value in runtime.items() if not isinstance(value, dict) and name != _KEY}
    return {name: value for name, value in plain.items() if value not in ("", 0, [])}


def _meaning(config: Any) -> Any:
    # Drops our key and empty values, since versions differ in which empty defaults they print.
    if not isinstance(config, dict):
        return config
    items = {name: _meaning(value) for name, value in config.items() if name not in (_KEY, "imports")}
    return {name: value for name, value in items.items() if value not in ("", 0, {}, [], None)}


def _parse(name: str, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Failed(f"{name} is not JSON, so containerd cannot read it either: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("process"), dict):
        raise Failed(f"{name} is not an OCI configuration: it has no object `process`")
    return value


def _entries(spec: Any, stage: str) -> list[dict[str, Any]]:
    hooks = spec.get("hooks") if isinstance(spec, dict) else None
    return (hooks or {}).get(stage) or []


def _has_hooks(data: bytes) -> bool:
    try:
        spec = json.loads(data)
    except ValueError:
        return False
    return all(any(map(guarded, _entries(spec, stage))) for stage in _HOOK_STAGES)


def _without_hooks(data: bytes) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(data)
    hooks = {
        stage: [hook for hook in entries or [] if not guarded(hook)] for stage, entries in spec.pop("hooks").items()
    }
    hooks = {stage: entries for stage, entries in hooks.items() if entries}
    return {**spec, "hooks": hooks} if hooks else spec
