# SPDX-License-Identifier: Apache-2.0
"""Enables and disables an engine: makes a plan's changes one by one, remembers each, and undoes them.

Theory of operation: the record is written before the files that it names, so whatever interrupts `enable`, `disable`
finds all there is to undo. A file that is as `enable` left it gets back what it was, to the byte; from one that was
changed since, only ours is taken out. Enabling goes through a plan forwards and disabling backwards, so no file is
named anywhere before it is there, or after it is gone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from traceloop_cli.engines import files, record
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Change, Engine, Plan
from traceloop_cli.engines.record import Changed, Record
from traceloop_cli.errors import Failed

_LOCK: Final = Path("/run/traceloop-engines.lock")


def plan_enable(host: Host, engine: Engine, *, default: bool) -> Plan:
    """What `enable` would change: nothing, where it was enabled so before. Raises Failed."""
    if engine.version(host) is None:
        raise Failed(f"{engine.name} is not installed here: `traceloopctl engine list` shows what is")
    if not os.access(host.path(host.hook), os.X_OK):
        raise Failed(f"there is no hook to be run at {host.hook}: install it, or say --hook PATH")
    return engine.enable(host, default=default)


def enable(host: Host, engine: Engine, plan: Plan, *, default: bool) -> None:
    """Makes a plan's changes. Undoes them where the engine then does not see what was meant. Raises Failed."""
    with _locked(host):
        known = record.load(host, engine.name)
        wanted = known or Record(engine.name)
        others = {path for _, path in _others(host, engine)}
        for change in plan.changes:
            if change.makes_a_difference:
                wanted = _remember(host, engine, wanted, change)
            elif change.path in others and wanted.of(change.path) is None:
                wanted = replace(wanted, changed=[*wanted.changed, _shared(change)])
        wanted = replace(wanted, default=default)
        record.save(host, wanted)
        try:
            for change in plan.changes:
                if not change.makes_a_difference:
                    continue
                assert change.after is not None
                _check_unchanged(host, change)
                made = files.write(host.path(change.path), change.after)
                if made:
                    inside = [Path("/") / path.relative_to(host.root.resolve()) for path in made]
                    wanted = replace(wanted, directories=[*wanted.directories, *inside])
                    record.save(host, wanted)
            if plan.verify is not None:
                plan.verify()
        except Failed:
            if known is None:
                _undo(host, engine, wanted)
            else:
                _take_back(host, plan)
                record.save(host, known)
            raise


def plan_disable(host: Host, engine: Engine) -> Plan:
    """What `disable` would change. Raises Failed."""
    known = record.load(host, engine.name)
    notes = []
    changes = [_undone(host, engine, changed) for changed in reversed(known.changed if known else [])]
    paths = [path for path in engine.leftovers(host) if known is None or known.of(path) is None]
    changes += [_stripped(host, engine, path) for path in paths]
    shared = {path: other for other, path in _others(host, engine)}
    notes += [
        f"{path} was not made by `engine enable`: its package may bring it back" for path in paths if path not in shared
    ]
    notes += [f"{c.path} stays: {shared[c.path]} uses it too" for c in changes if c.path in shared]
    plan = Plan([c for c in changes if c.makes_a_difference and c.path not in shared], engine.restart, notes)
    return replace(plan, restart=engine.restart_after(plan))


def disable(host: Host, engine: Engine, plan: Plan) -> None:
    """Makes the changes of `plan_disable`, and forgets the engine. Raises Failed."""
    with _locked(host):
        for change in plan.changes:
            _check_unchanged(host, change)
            _apply(host, change)
        known = record.load(host, engine.name)
        if known is not None:
            record.forget(host, known)


def _remember(host: Host, engine: Engine, known: Record, change: Change) -> Record:
    # What a file was before the first of our changes is kept, but not for longer than it stayed as we left it.
    assert change.after is not None
    before, earlier = change.before, known.of(change.path)
    backup = earlier.backup if earlier else None
    if earlier is not None and before is not None and record.digest(before) != earlier.after:
        before, earlier = engine.strip(host, change.path, before), None
    if earlier is None and before is not None:
        backup = record.backup_path(engine.name, change.path)
        files.write(host.path(backup), before, like=host.path(change.path))
    changed = Changed(change.path, record.digest(change.after), backup)
    rest = [one for one in known.changed if one.path != change.path]
    return replace(known, changed=[*rest, changed])


def _shared(change: Change) -> Changed:
    # A file that another engine was enabled with goes with the last of them.
    assert change.after is not None
    return Changed(change.path, record.digest(change.after), None)


def _undone(host: Host, engine: Engine, changed: Changed) -> Change:
    now = host.read(changed.path)
    if now is None:
        return Change(changed.path, None, None)
    if record.digest(now) == changed.after:
        return Change(changed.path, now, host.read(changed.backup) if changed.backup else None)
    return _stripped(host, engine, changed.path)


def _stripped(host: Host, engine: Engine, path: Path) -> Change:
    now = host.read(path)
    return Change(path, now, engine.strip(host, path, now) if now is not None else None)


def _undo(host: Host, engine: Engine, known: Record) -> None:
    for changed in reversed(known.changed):
        _apply(host, _undone(host, engine, changed))
    record.forget(host, known)


def _take_back(host: Host, plan: Plan) -> None:
    for change in reversed([change for change in plan.changes if change.makes_a_difference]):
        _apply(host, Change(change.path, change.after, change.before))


def _apply(host: Host, change: Change) -> None:
    if change.after is None:
        files.remove(host.path(change.path))
    elif change.makes_a_difference:
        files.write(host.path(change.path), change.after)


def _check_unchanged(host: Host, change: Change) -> None:
    if host.read(change.path) != change.before:
        raise Failed(f"{change.path} was changed by someone else just now: look at it, then try again")


def _others(host: Host, engine: Engine) -> Iterator[tuple[str, Path]]:
    for path in host.matching(f"{record.DIRECTORY}/*.json"):
        if path.stem != engine.name:
            other = record.load(host, path.stem)
            for changed in other.changed if other else ():
                yield path.stem, changed.path


@contextmanager
def _locked(host: Host) -> Iterator[None]:
    path = host.path(_LOCK)
    made = [*files.make_directories(path.parent), *files.make_directories(host.path(record.DIRECTORY))]
    fd = _lock(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(fd)
        files.remove_directories(made)


def _lock(path: Path) -> int:
    # A file that others cannot open: whoever can open a directory may lock it, and root would wait for ever.
    while True:
        fd = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.lstat()):
                return fd
        os.close(fd)  # whoever had it before has removed it
