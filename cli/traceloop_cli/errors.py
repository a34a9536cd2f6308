# SPDX-License-Identifier: Apache-2.0
"""Why a command failed. A message says what, why and what to do; `main` prints it and picks the exit code.

::

    CliError
    ├── Failed        the daemon said no, or nothing matches
    ├── Unreachable   no daemon answers
    └── Denied        this user may not ask it
"""

from __future__ import annotations


class CliError(Exception):
    """The root of this package's exceptions."""


class Failed(CliError):
    """The daemon said no, or nothing matches."""


class Unreachable(CliError):
    """No daemon answers."""


class Denied(CliError):
    """This user may not ask the daemon."""
