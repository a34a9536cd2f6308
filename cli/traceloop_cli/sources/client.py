# SPDX-License-Identifier: Apache-2.0
"""The connection to the daemon, or to what stands for it; what other machines need is loaded for them alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from traceloop_cli.sources.addresses import Local, control_address, parsed, socket_path
from traceloop_cli.sources.channel import DEADLINE_S, channel
from traceloop_cli.sources.listing import Listing
from traceloop_proto import traceloop_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceloop_proto.traceloop_pb2_grpc import RecorderStub

__all__ = ("DEADLINE_S", "connected", "control_address", "socket_path")


@contextmanager
def connected(address: str) -> Iterator[RecorderStub]:
    """Yields a stub of the daemon's service; a call that fails inside the block raises a CliError.

    Of several addresses in one (`addresses`), it is a stub that asks all. Raises ValueError for none.
    """
    where = parsed(address)
    if isinstance(where, Local):
        with channel(where.path, where) as stub:
            yield stub
    else:
        from traceloop_cli.sources.elsewhere import connected_elsewhere  # noqa: PLC0415 - for other machines alone

        with connected_elsewhere(where) as stub:
            yield stub


def listings(address: str) -> list[Listing]:
    """Asks for all traces. Raises CliError if a single daemon does not answer; several are told apart by `Listing`."""
    with connected(address) as daemon:
        if isinstance(parsed(address), Local):
            return [Listing("", daemon.List(pb.ListRequest(), timeout=DEADLINE_S), None)]
        from traceloop_cli.sources.elsewhere import listings_of  # noqa: PLC0415 - likewise

        return listings_of(daemon)
