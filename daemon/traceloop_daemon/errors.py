# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with what the daemon is asked. Messages say what, why and what to do.

::

    DaemonError
    ├── ConfigError         the configuration or the node cannot be worked with; the daemon does not start
    ├── RegistrationError   a hook message or an added cgroup cannot be recorded
    │   ├── AlreadyRecorded
    │   └── NoMemory        there is no room for its ring
    ├── UntrustedFile       an engine's file that others than root may have written, or too large a one
    ├── NriError            an engine does not speak NRI as it is known here; the connection to it ends
    ├── NoSuchTrace         unknown or closed
    ├── AmbiguousTrace      a prefix fits several
    ├── TraceGone           what was kept of it is no longer there
    └── TraceDamaged        what was kept of it cannot be read
"""

from __future__ import annotations


class DaemonError(Exception):
    """The root of this package's exceptions."""


class ConfigError(DaemonError):
    """The configuration, or the node, cannot be worked with."""


class RegistrationError(DaemonError):
    """This container or cgroup cannot be recorded."""


class AlreadyRecorded(RegistrationError):
    """It is being recorded."""


class NoMemory(RegistrationError):
    """There is no room for its ring."""


class UntrustedFile(DaemonError):
    """What is in this file may be the word of others than root's, or is more than is read."""


class NriError(DaemonError):
    """The other end of an NRI connection said what makes no sense, or does not want us."""


class NoSuchTrace(DaemonError):
    """No trace has this id: it never had, or it is closed."""


class AmbiguousTrace(DaemonError):
    """The prefix fits several traces; the message lists them."""


class TraceGone(DaemonError):
    """The trace is listed, and what was kept of it is no longer there."""


class TraceDamaged(DaemonError):
    """The trace is listed, and what was kept of it is truncated or damaged, or of a newer version."""
