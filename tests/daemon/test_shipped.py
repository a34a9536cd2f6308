# SPDX-License-Identifier: Apache-2.0
"""The ledger of traceloop-ship, as the daemon reads it: another user, whom a network reaches, writes it."""

from __future__ import annotations

import os
from pathlib import Path

from traceloop_daemon.archive.shipped import shipped_ids


def test_the_names_in_it(tmp_path: Path) -> None:
    ledger = tmp_path / "shipped"
    assert shipped_ids(ledger) == frozenset()
    ledger.write_text("a.trace\t1\t2\nb%2Fc.trace\t1\t2\nno tab\n")
    assert shipped_ids(ledger) == {"a", "b/c"}


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A FIFO without a writer must not keep the archive waiting; a link could lead to any file."""
    fifo, real, link = tmp_path / "fifo", tmp_path / "real", tmp_path / "link"
    os.mkfifo(fifo)
    assert shipped_ids(fifo) == frozenset()
    real.write_text("a.trace\t1\t2\n")
    link.symlink_to(real)
    assert shipped_ids(link) == frozenset()
    assert shipped_ids(tmp_path) == frozenset()


def test_a_ledger_without_end_is_read_in_part(tmp_path: Path) -> None:
    ledger = tmp_path / "shipped"
    ledger.write_text("".join(f"{n}\t\n" for n in range(200_000)))
    assert len(shipped_ids(ledger)) == 50_000
