# SPDX-License-Identifier: Apache-2.0
"""Examples at the end of each verb's ``--help``; a test parses their command lines with the real options."""

from __future__ import annotations

from typing import Final

import click

# Verb, such as `engine list` -> (command line, purpose). Each line with its indentation must fit 80 columns.
EXAMPLES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "": (
        ("traceloopctl --archive store:traces list", "of nodes that are gone, from a store"),
        ("traceloopctl -H root@db1 -H root@db2 list", "of two other machines, by ssh"),
        ("traceloopctl", "list the traces"),
        ("traceloopctl why", "why the newest container that failed did"),
        ("traceloopctl show mypod", "what that container did"),
        ("traceloopctl show -Z mypod", "which of its calls failed"),
    ),
    "list": (
        ("traceloopctl list --failed -S yesterday", "which containers failed since yesterday, and how"),
        ("traceloopctl list -S -1h -r", "what was recorded in the last hour, newest first"),
        ("traceloopctl list --no-legend", "for scripts: the second column is the id"),
        ("traceloopctl list -o json | jq -r '.[]|select(.exit_code>0 or .signal).id'", "what failed"),
    ),
    "why": (
        ("traceloopctl why", "the newest container that failed"),
        ("traceloopctl why node1_default_mypod", "by its id, or a prefix of it"),
        ("traceloopctl why -o json | jq -r '.causes[].sentence'", "for programs"),
        ("traceloopctl why --file mypod.trace", "without a daemon"),
    ),
    "info": (
        ("traceloopctl info", "of the newest trace"),
        ("traceloopctl info mypod", "of the newest of a pod or container"),
        ("traceloopctl info mypod~1", "of the one before"),
        ("traceloopctl info 4f3c2a91", "by the beginning of the container's id"),
        ("traceloopctl info --file mypod.trace", "of a file; tells also where it was recorded"),
    ),
    "show": (
        ("traceloopctl show -n 20 node1_default_mypod", "its last calls, and how it ended"),
        ("traceloopctl show -S 15:59 -U 16:00 node1_default_mypod", "what it did in that minute"),
        ("traceloopctl show -Z -e trace=%file node1_default_mypod", "which files it could not use"),
        ("traceloopctl show --min-duration 1s --since-end 1min -T node1_default_mypod", "what it waited for"),
        ("traceloopctl show --where 'errno == EPERM or seccomp' node1_default_mypod", "what it was not allowed to do"),
        ("traceloopctl show -yy -e %network node1_default_mypod", "its connections, with addresses"),
        ("traceloopctl show -o strace -tt -T node1_default_mypod", "in the format of `strace -f -tt -T`"),
        ("traceloopctl show -c node1_default_mypod", "how often each call was made, and how long it took"),
        ("traceloopctl show -o jsonl node1_default_mypod | jq .syscall", "for programs"),
        ("traceloopctl show -f -n 20 node1_default_mypod", "what it does now"),
        ("traceloopctl show --file mypod.trace", "without a daemon"),
    ),
    "wait": (("traceloopctl wait node1_default_mypod", "until it ends; the exit code is the container's"),),
    "summary": (
        ("traceloopctl summary node1_default_mypod", "which calls it spent its time in"),
        ("traceloopctl summary --by file node1_default_mypod", "which files it read and wrote most"),
        ("traceloopctl summary --by process --pod mypod", "of all containers of a pod"),
    ),
    "files": (
        ("traceloopctl files node1_default_mypod", "what it opened, created, removed and missed"),
        ("traceloopctl files --errno ENOENT,EACCES node1_default_mypod", "what it could not open"),
        ("traceloopctl files --all -o json | jq '.[].rows[]?|select(.missing>0).path'", "for programs"),
    ),
    "net": (
        ("traceloopctl net node1_default_mypod", "whom it talked to"),
        ("traceloopctl net --all --where 'failed && syscall == connect'", "refused connections of all"),
    ),
    "processes": (("traceloopctl processes node1_default_mypod", "who started whom, and how each ended"),),
    "stdio": (
        ("traceloopctl stdio node1_default_mypod", "what it printed, on both streams"),
        ("traceloopctl stdio node1_default_mypod -p 4711", "what one of its processes printed"),
    ),
    "slow": (
        ("traceloopctl slow node1_default_mypod", "what it waited for"),
        ("traceloopctl slow -n 5 --where 'syscall == %network' --pod mypod", "in calls on sockets"),
    ),
    "diff": (
        ("traceloopctl diff node1_default_mypod node1_default_mypod-2", "what the second run did differently"),
        ("traceloopctl diff file:good.trace node1_default_mypod", "from a run that was kept in a file"),
    ),
    "dump": (
        ("traceloopctl dump node1_default_mypod --file mypod.trace", "to a file that can be read anywhere"),
        ("traceloopctl dump node1_default_mypod --file - | ssh host 'cat >mypod.trace'", "to another machine"),
    ),
    "export": (
        ("traceloopctl export node1_default_mypod --format html -f mypod.html", "a picture for a ticket"),
        ("traceloopctl export file:mypod.trace --format perfetto >mypod.pftrace", "for ui.perfetto.dev"),
        ("traceloopctl export node1_default_mypod --format strace", "for programs that read strace's"),
    ),
    "close": (
        ("traceloopctl close node1_default_mypod", "delete one trace"),
        ("traceloopctl close node1_default_mypod node1_default_other", "delete two traces"),
    ),
    "add": (
        ("traceloopctl add --container 4f3c2a91", "a running container"),
        ("traceloopctl add --unit cron.service", "a systemd unit"),
        ("traceloopctl add --cgroup /system.slice/cron.service --name cron", "any cgroup"),
    ),
    "run": (
        ("traceloopctl run -- make test", "record a command; its trace remains"),
        ("traceloopctl run --show -e %file -- ls /", "print its calls on files, as strace -f does"),
    ),
    "stats": (
        ("traceloopctl stats", "what is recorded, lost and kept; how long hooks wait"),
        ("traceloopctl stats -o json | jq .hooks_refused", "for programs"),
    ),
    "bridge": (("traceloopctl bridge", "what `traceloopctl -H HOST` runs on HOST"),),
    "engine": (
        ("traceloopctl engine list", "which engines are installed, and run the hook"),
        ("traceloopctl engine enable containerd --dry-run", "what would change"),
    ),
    "engine list": (("traceloopctl engine list", "which engines are installed, and run the hook"),),
    "engine enable": (
        ("traceloopctl engine enable containerd --dry-run", "what would change"),
        ("traceloopctl engine enable docker --default", "record all of docker's containers"),
    ),
    "engine disable": (("traceloopctl engine disable docker", "restore its configuration"),),
    "engine status": (("traceloopctl engine status containerd", "whether it runs the hook, and how to fix it"),),
    "doctor": (
        ("traceloopctl doctor", "whether recording works, and how to fix it"),
        ("traceloopctl doctor -o json | jq .recording_works", "for monitoring"),
    ),
}


def epilog(verb: str) -> str | None:
    """Returns a verb's examples in click's markup, None if it has none."""
    if verb not in EXAMPLES:
        return None
    lines = [f"  {line}\n      {purpose}" for line, purpose in EXAMPLES[verb]]
    return "\n".join(("\b", "Examples:", *lines))


def add_examples(command: click.Command, verb: str) -> None:
    """Adds examples to the help of a verb and all its verbs, except those that have an epilog already."""
    command.epilog = command.epilog or epilog(verb)
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            add_examples(inner, f"{verb} {name}")
