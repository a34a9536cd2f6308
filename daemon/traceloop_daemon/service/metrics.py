# SPDX-License-Identifier: Apache-2.0
"""Stats as metrics: Prometheus' text format 0.0.4, with its conventions for names.

docs/metrics.md lists them, and a test compares it with what comes out here. Labels have few values, whatever runs on
the node: what is known of each container stands in its trace. Source: prometheus.io, "Exposition formats", "Metric and
label naming".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from traceloop_daemon.recording.tally import BOUNDS_S, Counted
from traceloop_daemon.service.stats import Stats


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of samples. samples: what follows the name, such as ``{state="frozen"}``, and the value."""

    name: str
    kind: str
    text: str
    samples: Sequence[tuple[str, float]]


def metrics_text(stats: Stats) -> str:
    """The metrics as they stand in a file."""
    return "".join(f"{line}\n" for metric in metrics(stats) for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.text}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for behind, value in metric.samples:
        yield f"{metric.name}{behind} {value}"


def metrics(stats: Stats) -> Iterator[Metric]:
    """All of them."""
    recorded, counted, archive = stats.recorded, stats.counted, stats.archive
    in_use, in_stock = (sum(getattr(pool, name) for pool in stats.rings) for name in ("in_use", "in_stock"))
    yield _gauge("start_time_seconds", "When the daemon started, in seconds since 1970.", stats.started_ns / 1e9)
    traces = {state.value: count for state, count in stats.traces.items()}
    yield _gauges("traces", "Traces that are listed, by state; recording: containers that run.", "state", traces)
    rings = {"in_use": in_use, "in_stock": in_stock}
    yield _gauges("rings", "Rings in the kernel: of containers, and ready for the next ones.", "use", rings)
    ring_bytes = {"in_use": stats.ring_bytes_in_use, "in_stock": stats.ring_bytes_in_stock}
    yield _gauges("ring_memory_bytes", "Memory of these rings.", "use", ring_bytes)
    yield _counter("events_total", "System calls, signals and thread exits of recorded containers.", recorded.events)
    yield _counter("events_overwritten_total", "Events that the rings no longer hold.", recorded.overwritten)
    yield _counter("events_dropped_total", "Events that could not be recorded.", recorded.dropped)
    yield _counter("calls_reread_total", "Calls with memory that could not be read at their entry.", recorded.reread)
    yield _counter(
        "calls_unread_total", "Calls with memory that could not be read, wrong addresses included.", recorded.unread
    )
    yield _counter(
        "calls_forgotten_total", "Calls not read again at their exit: too many were in flight.", recorded.forgotten
    )
    yield _counter("cgroups_left_out_total", "Cgroups below containers that are not recorded.", recorded.left_out)
    yield _counter("io_urings_total", "Instances of io_uring, whose requests are not recorded.", recorded.io_urings)
    yield _counters(
        "recordings_total",
        "Recordings that began, by who began them; daemon: a former one.",
        "origin",
        {
            "hook": counted[Counted.STARTED_BY_HOOK],
            "add": counted[Counted.STARTED_BY_ADD],
            "daemon": counted[Counted.ADOPTED],
        },
    )
    yield _counter("containers_excluded_total", "Containers that were not to be recorded.", counted[Counted.EXCLUDED])
    text = "Containers that were not recorded, as there was no room for their rings."
    yield _counter("containers_without_memory_total", text, counted[Counted.NO_MEMORY])
    yield _gauge("memory_left_bytes", "Bytes that more rings may take.", stats.room.left_bytes)
    yield _counters(
        "hook_messages_total",
        "What hooks sent, by the answer.",
        "result",
        {"served": counted[Counted.HOOKS_SERVED], "refused": counted[Counted.HOOKS_REFUSED]},
    )
    upto = [f"{bound_s:g}" for bound_s in BOUNDS_S] + ["+Inf"]
    buckets = [
        (f'_bucket{{le="{bound}"}}', float(count))
        for bound, count in zip(upto, accumulate(stats.hooks.counts), strict=True)
    ]
    waits = [*buckets, ("_sum", stats.hooks.sum_s), ("_count", float(sum(stats.hooks.counts)))]
    text = "How long hooks waited for their answer, from when they were accepted."
    yield Metric("traceloop_hook_duration_seconds", "histogram", text, waits)
    yield _gauge("archive_traces", "Traces that are kept.", archive.traces)
    yield _gauge("archive_size_bytes", "Bytes of the traces that are kept.", archive.size_bytes)
    yield _gauge("archive_waiting_traces", "Those of them that wait in memory for the disk.", archive.waiting)
    yield _gauge("archive_waiting_bytes", "Bytes of those that wait.", archive.waiting_bytes)
    yield _counter("traces_dropped_total", "Kept traces that went to make room.", counted[Counted.DROPPED])
    yield _counter("traces_lost_total", "Traces that could not be kept or adopted.", counted[Counted.LOST])
    yield _counter("snapshots_total", "Traces that were shown or dumped.", counted[Counted.SNAPSHOTS])
    yield _counter(
        "connections_refused_total",
        "Connections to traceloop.sock of users that had their share.",
        counted[Counted.CONNECTIONS_REFUSED],
    )
    yield _counter("calls_refused_total", "Calls of users that had their share.", counted[Counted.CALLS_REFUSED])
    yield _counter("calls_ended_total", "Calls whose answers were not read in time.", counted[Counted.CALLS_ENDED])
    yield _counter("program_exchanges_total", "Exchanges of the programs in the kernel.", counted[Counted.EXCHANGES])
    yield _counter(
        "recorders_replaced_total", "Recorders that someone broke in the kernel.", counted[Counted.REPLACEMENTS]
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return Metric(f"traceloop_{name}", "gauge", text, [("", value)])


def _counter(name: str, text: str, value: float) -> Metric:
    return Metric(f"traceloop_{name}", "counter", text, [("", value)])


def _gauges(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    return Metric(f"traceloop_{name}", "gauge", text, _labelled(label, values))


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    return Metric(f"traceloop_{name}", "counter", text, _labelled(label, values))


def _labelled(label: str, values: Mapping[str, int]) -> list[tuple[str, float]]:
    # The values of labels are words of this program's own, which need no escapes.
    return [(f'{{{label}="{value}"}}', count) for value, count in values.items()]
