# SPDX-License-Identifier: Apache-2.0
"""The daemon's exceptions. Messages say what failed, why, and what to do.

::

    DaemonError
    ├── ConfigError         the settings or the node are unusable; the daemon does not start
    ├── RegistrationError   the container of a hook message or an added cgroup cannot be recorded
    │   ├── AlreadyRecorded
    │   └── NoMemory        memory has no room for a ring
    ├── UntrustedFile       an engine's file is too large, or users other than root may have written it
    ├── EngineBusy          an engine writes what is to be read
    ├── NriError            an engine does not speak the known NRI; the connection to it is closed
    ├── NoSuchTrace         the trace is unknown or closed
    ├── AmbiguousTrace      a prefix matches several traces
    ├── TraceGone           the trace's file is gone
    └── TraceDamaged        the trace's file cannot be read
"""

from __future__ import annotations


class DaemonError(Exception):
    """The base class of this package's exceptions."""


class ConfigError(DaemonError):
    """The settings or the node are unusable."""


class RegistrationError(DaemonError):
    """The container or cgroup cannot be recorded."""


class AlreadyRecorded(RegistrationError):
    """The container or cgroup is being recorded already."""


class NoMemory(RegistrationError):
    """Memory has no room for the container's ring."""


class UntrustedFile(DaemonError):
    """The file may have been written by users other than root, or is larger than the limit."""


class EngineBusy(DaemonError):
    """The engine writes what is to be read about the container; it can be read in a moment."""


class NriError(DaemonError):
    """The peer of an NRI connection sent an invalid message, or refused the plugin."""


class NoSuchTrace(DaemonError):
    """The trace does not exist, or is closed."""


class AmbiguousTrace(DaemonError):
    """The prefix matches several traces, which the message lists."""


class TraceGone(DaemonError):
    """The trace is listed, but its contents are gone."""


class TraceDamaged(DaemonError):
    """The trace is listed, but its contents are truncated, damaged or of a newer version."""
