# SPDX-License-Identifier: Apache-2.0
"""Enables and disables an engine: makes a plan's changes one by one, records each, and undoes them.

Theory of operation: the record is written before the files that it names, so that `disable` finds everything to undo
even if `enable` was interrupted. A file that `enable` left and nobody changed gets its old content back to the byte;
from a file that was changed since, only our entries are removed. Enabling makes a plan's changes in order and disabling
in reverse order, so that no file is named before it exists or after it is removed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from traceloop_cli.engines import files, wired
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Change, Engine, Plan
from traceloop_cli.engines.wired import Changed, Wired
from traceloop_cli.errors import Failed


def plan_enable(host: Host, engine: Engine, *, default: bool) -> Plan:
    """Plans the changes of `enable`; none of them makes a difference if it was made before. Raises Failed."""
    if engine.version(host) is None:
        raise Failed(f"{engine.name} is not installed here: `traceloopctl engine list` shows what is")
    if not os.access(host.path(host.hook), os.X_OK):
        raise Failed(f"there is no executable hook at {host.hook}: install it, or give --hook PATH")
    return engine.enable(host, default=default)


def enable(host: Host, engine: Engine, plan: Plan, *, default: bool) -> None:
    """Makes a plan's changes; undoes them if the plan's `verify` fails. Raises Failed."""
    with _locked(host):
        known = wired.load(host, engine.name)
        wanted = known or Wired(engine.name)
        others = {path for _, path in _others(host, engine)}
        for change in plan.changes:
            if change.makes_a_difference:
                wanted = _remember(host, engine, wanted, change)
            elif change.path in others and wanted.of(change.path) is None:
                wanted = replace(wanted, changed=[*wanted.changed, _shared(change)])
        wanted = replace(wanted, default=default)
        wired.save(host, wanted)
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
                    wired.save(host, wanted)
            if plan.verify is not None:
                plan.verify()
        except Failed:
            if known is None:
                _undo(host, engine, wanted)
            else:
                _take_back(host, plan)
                wired.save(host, known)
            raise


def plan_disable(host: Host, engine: Engine) -> Plan:
    """Plans the changes of `disable`. Raises Failed."""
    known = wired.load(host, engine.name)
    notes = []
    changes = [_undone(host, engine, changed) for changed in reversed(known.changed if known else [])]
    paths = [path for path in engine.leftovers(host) if known is None or known.of(path) is None]
    changes += [_stripped(host, engine, path) for path in paths]
    shared = {path: other for other, path in _others(host, engine)}
    notes += [
        f"`engine enable` did not make {path}: its package may restore it" for path in paths if path not in shared
    ]
    notes += [f"{c.path} stays: {shared[c.path]} uses it too" for c in changes if c.path in shared]
    plan = Plan([c for c in changes if c.makes_a_difference and c.path not in shared], engine.restart, notes)
    return replace(plan, restart=engine.restart_after(plan))


def disable(host: Host, engine: Engine, plan: Plan) -> None:
    """Makes the changes of `plan_disable`, and removes the engine's record. Raises Failed."""
    with _locked(host):
        for change in plan.changes:
            _check_unchanged(host, change)
            _apply(host, change)
        known = wired.load(host, engine.name)
        if known is not None:
            wired.forget(host, known)


def _remember(host: Host, engine: Engine, known: Wired, change: Change) -> Wired:
    # The backup holds a file's content before our first change; a new one is made if others changed the file since.
    assert change.after is not None
    before, earlier = change.before, known.of(change.path)
    backup = earlier.backup if earlier else None
    if earlier is not None and before is not None and wired.digest(before) != earlier.after:
        before, earlier = engine.strip(host, change.path, before), None
    if earlier is None and before is not None:
        backup = wired.backup_path(engine.name, change.path)
        files.write(host.path(backup), before, like=host.path(change.path))
    changed = Changed(change.path, wired.digest(change.after), backup)
    rest = [one for one in known.changed if one.path != change.path]
    return replace(known, changed=[*rest, changed])


def _shared(change: Change) -> Changed:
    # A file that several engines share is removed when the last of them is disabled.
    assert change.after is not None
    return Changed(change.path, wired.digest(change.after), None)


def _undone(host: Host, engine: Engine, changed: Changed) -> Change:
    now = host.read(changed.path)
    if now is None:
        return Change(changed.path, None, None)
    if wired.digest(now) == changed.after:
        return Change(changed.path, now, host.read(changed.backup) if changed.backup else None)
    return _stripped(host, engine, changed.path)


def _stripped(host: Host, engine: Engine, path: Path) -> Change:
    now = host.read(path)
    return Change(path, now, engine.strip(host, path, now) if now is not None else None)


def _undo(host: Host, engine: Engine, known: Wired) -> None:
    for changed in reversed(known.changed):
        _apply(host, _undone(host, engine, changed))
    wired.forget(host, known)


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
        raise Failed(f"{change.path} was changed by another program just now: check it, then try again")


def _others(host: Host, engine: Engine) -> Iterator[tuple[str, Path]]:
    for path in host.matching(f"{wired.DIRECTORY}/*.json"):
        if path.stem != engine.name:
            other = wired.load(host, path.stem)
            for changed in other.changed if other else ():
                yield path.stem, changed.path


@contextmanager
def _locked(host: Host) -> Iterator[None]:
    # The lock file is for root alone: any user who could open it could lock it, and make us wait.
    directory = host.path(wired.DIRECTORY)
    path = directory / ".lock"
    files.make_directories(directory)
    fd = _lock(path)
    try:
        yield
    finally:
        files.remove(path)
        os.close(fd)
        files.remove_directories([directory.parent, directory])


def _lock(path: Path) -> int:
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Failed(f"cannot create {path}: {error.strerror}") from error
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:  # otherwise its previous holder has removed it
            return fd
        os.close(fd)
