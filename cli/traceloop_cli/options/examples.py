# SPDX-License-Identifier: Apache-2.0
"""The examples at the end of each verb's ``--help``: command lines that a test reads with the real options."""

from __future__ import annotations

from typing import Final

import click

# Verb, as `engine list` -> (command line, what it is for). Indented, a line is to fit 80 columns.
EXAMPLES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "": (
        ("traceloopctl", "which traces there are"),
        ("traceloopctl show node1_default_mypod", "what that container did"),
        ("traceloopctl show -Z node1_default_mypod", "which of its calls failed"),
    ),
    "list": (
        ("traceloopctl list -S -1h -r", "what was recorded in the last hour, newest first"),
        ("traceloopctl list --no-legend", "for scripts; the second column is the id"),
        ("traceloopctl list -o json | jq -r '.[] | select(.exit_code).id'", "what failed"),
    ),
    "info": (
        ("traceloopctl info node1_default_mypod", "by its id, or the beginning of it"),
        ("traceloopctl info 4f3c2a91", "by the beginning of the container's id"),
        ("traceloopctl info --file mypod.trace", "of a file: also where it was recorded"),
    ),
    "show": (
        ("traceloopctl show -n 20 node1_default_mypod", "its last calls, and how it ended"),
        ("traceloopctl show -S 15:59 -U 16:00 node1_default_mypod", "what it did in that minute"),
        ("traceloopctl show -Z -e trace=%file node1_default_mypod", "files that it could not use"),
        ("traceloopctl show -yy -e %network node1_default_mypod", "connections, with their addresses"),
        ("traceloopctl show -o strace -tt -T node1_default_mypod", "as `strace -f -tt -T`"),
        ("traceloopctl show -c node1_default_mypod", "how often each call, and how long"),
        ("traceloopctl show -o jsonl node1_default_mypod | jq .syscall", "for programs"),
        ("traceloopctl show --file mypod.trace", "without a daemon"),
    ),
    "dump": (
        ("traceloopctl dump node1_default_mypod --file mypod.trace", "for someone else to read"),
        ("traceloopctl dump node1_default_mypod --file - | ssh host 'cat >mypod.trace'", "on another machine"),
    ),
    "close": (
        ("traceloopctl close node1_default_mypod", "forget one"),
        ("traceloopctl close node1_default_mypod node1_default_other", "forget two"),
    ),
    "add": (
        ("traceloopctl add --container 4f3c2a91", "a container that runs already"),
        ("traceloopctl add --unit cron.service", "a systemd unit"),
        ("traceloopctl add --cgroup /system.slice/cron.service --name cron", "any cgroup"),
    ),
    "stats": (
        ("traceloopctl stats", "what is recorded, lost, kept; how long hooks wait"),
        ("traceloopctl stats -o json | jq .hooks_refused", "for programs"),
    ),
    "engine": (
        ("traceloopctl engine list", "what there is, and what runs the hook"),
        ("traceloopctl engine enable containerd --dry-run", "what would change"),
    ),
    "engine list": (("traceloopctl engine list", "what there is, and what runs the hook"),),
    "engine enable": (
        ("traceloopctl engine enable containerd --dry-run", "what would change"),
        ("traceloopctl engine enable docker --default", "record all of docker's containers"),
    ),
    "engine disable": (("traceloopctl engine disable docker", "as it was before"),),
    "engine status": (("traceloopctl engine status containerd", "what is right, and what mends the rest"),),
    "doctor": (
        ("traceloopctl doctor", "what is in the way, and what mends it"),
        ("traceloopctl doctor -o json | jq .recording_works", "for monitoring"),
    ),
}


def epilog(verb: str) -> str | None:
    """The end of a verb's help, in click's markup; None where there are no examples."""
    if verb not in EXAMPLES:
        return None
    lines = [f"  {line}\n      {purpose}" for line, purpose in EXAMPLES[verb]]
    return "\n".join(("\b", "Examples:", *lines))


def add_examples(group: click.Group, verb: str = "") -> None:
    """Gives a group and all its verbs their examples, but for verbs that bring their own."""
    group.epilog = group.epilog or epilog(verb)
    for name, command in group.commands.items():
        words = f"{verb} {name}".lstrip()
        if isinstance(command, click.Group):
            add_examples(command, words)
        else:
            command.epilog = command.epilog or epilog(words)
