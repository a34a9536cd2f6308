# SPDX-License-Identifier: Apache-2.0
"""CRI-O.

By its sources (internal/config/cgmgr), not run here: ``crio-<id>.scope`` with systemd, ``crio-<id>`` with cgroupfs; the
monitor's is ``crio-conmon-<id>.scope``. Bundles are where podman has them, as both use containers/storage.
"""

from __future__ import annotations

from typing import Final

from traceloop_bpf.births import Kind
from traceloop_daemon.naming.engines.model import Engine, Form

CRIO: Final = Engine("crio", forms=(Form(Kind.ID, "crio-"),))
