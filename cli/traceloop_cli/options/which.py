# SPDX-License-Identifier: Apache-2.0
"""The options that choose traces by what is known of them: --failed, --pod, --namespace and --image."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from traceloop_cli.options.common import TEXT
from traceloop_cli.sources.failures import has_failed

if TYPE_CHECKING:
    from traceloop_proto import traceloop_pb2 as pb

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS: Final = (
    click.option("--failed", is_flag=True, help="Containers that failed: killed, or exited with an error."),
    click.option("--pod", metavar="NAME", type=TEXT, help="Containers of these pods; * stands for any text."),
    click.option("--namespace", metavar="NAME", type=TEXT, help="Containers in these namespaces."),
    click.option(
        "--image", metavar="NAME", type=TEXT, help="Containers of these images, also without registry or tag."
    ),
)


class Which(NamedTuple):
    """Values of the options; None for one that was not given."""

    failed: bool
    pod: str | None
    namespace: str | None
    image: str | None

    def takes(self, trace: pb.Trace) -> bool:
        """Returns whether a trace is chosen."""
        return (
            (not self.failed or has_failed(trace))
            and _fits(self.pod, (trace.pod,))
            and _fits(self.namespace, (trace.namespace,))
            and _fits(self.image, _forms(trace.image))
        )


def which_options(command: _Command) -> _Command:
    """Adds the options; the verb gets their values under the names of `Which`'s fields."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _fits(pattern: str | None, forms: tuple[str, ...]) -> bool:
    return pattern is None or any(fnmatchcase(form, pattern) for form in forms)


def _forms(image: str) -> tuple[str, ...]:
    # docker.io/library/nginx:1.25@sha256:...: whole, without digest, nginx:1.25, nginx; library/nginx is not a name
    # that engines show.
    plain = image.partition("@")[0]
    last = plain.rpartition("/")[2]
    return image, plain, last, last.partition(":")[0]
