# SPDX-License-Identifier: Apache-2.0
"""Reasons why a command failed. A message says what, why and what to do; `main` prints it and picks the exit code.

::

    CliError
    ├── Failed        the daemon refused the request, or nothing matches
    │   ├── NoMatch   there is no such trace
    │   └── Ambiguous there are several
    ├── Unreachable   no daemon answers
    └── Denied        this user may not ask the daemon
"""

from __future__ import annotations


class CliError(Exception):
    """The root of this package's exceptions."""


class Failed(CliError):
    """The daemon refused the request, or nothing matches."""


class NoMatch(Failed):
    """The request names a trace that does not exist."""


class Ambiguous(Failed):
    """The request names several traces."""


class Unreachable(CliError):
    """The daemon does not answer."""


class Denied(CliError):
    """The user lacks permission to ask the daemon."""
