# SPDX-License-Identifier: Apache-2.0
"""The verbs of traceloopctl, one file each, loaded when they are used; `list_follow` implements `list --follow`.

Loading all of them takes ten times as long as loading click. So a verb that is added is named twice here: in `loaded`,
and with the first sentence of its help in VERBS, from which ``--help`` takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Final

import click

from traceloop_cli.options.examples import add_examples

VERBS: Final = {
    "list": "List the traces, oldest first.",
    "why": "Explain why a container ended.",
    "info": "Print all that is known about a trace, without an ID about the newest.",
    "show": "Print what a container did, without an ID the newest one.",
    "summary": "Print how often a container made calls, how many failed, what they moved, and how long they took.",
    "files": "Print the files that a container opened, created, removed or missed, in the order of their first use.",
    "net": "Print the peers that a container connected to, the addresses that it listened on, failures and bytes.",
    "processes": "Print the processes of a container as a tree, with command lines, times and ends.",
    "stdio": "Print what a container printed on standard output and standard error, in order.",
    "slow": "Print the calls that took longest, and what ended each: its result, a signal, or its thread's end.",
    "wait": "Wait until a container has ended, print its exit code or signal, and exit with it.",
    "diff": "Print what run B did differently from run A, a good one of the same image.",
    "export": "Write a trace in the format of another program.",
    "dump": "Write a trace into a file, without an ID the newest.",
    "close": "Delete traces permanently.",
    "add": "Record a container, unit or cgroup that no hook registers.",
    "run": "Record a command that runs on this machine.",
    "stats": "Print the daemon's statistics.",
    "engine": "Make container engines run the hook.",
    "doctor": "Tell whether recording works here, and what prevents it.",
}
_HIDDEN: Final = ("bridge",)


def loaded(verb: str) -> click.Command:
    """Imports a verb's module and returns its command. Raises KeyError for a word that is no verb."""
    match verb:
        case "list":
            from traceloop_cli.commands.list import command
        case "why":
            from traceloop_cli.commands.why import command
        case "info":
            from traceloop_cli.commands.info import command
        case "show":
            from traceloop_cli.commands.show import command
        case "summary":
            from traceloop_cli.commands.summary import command
        case "files":
            from traceloop_cli.commands.files import command
        case "net":
            from traceloop_cli.commands.net import command
        case "processes":
            from traceloop_cli.commands.processes import command
        case "stdio":
            from traceloop_cli.commands.stdio import command
        case "slow":
            from traceloop_cli.commands.slow import command
        case "wait":
            from traceloop_cli.commands.wait import command
        case "diff":
            from traceloop_cli.commands.diff import command
        case "export":
            from traceloop_cli.commands.export import command
        case "dump":
            from traceloop_cli.commands.dump import command
        case "close":
            from traceloop_cli.commands.close import command
        case "add":
            from traceloop_cli.commands.add import command
        case "run":
            from traceloop_cli.commands.run import command
        case "stats":
            from traceloop_cli.commands.stats import command
        case "engine":
            from traceloop_cli.commands.engine import command
        case "doctor":
            from traceloop_cli.commands.doctor import command
        case "bridge":
            from traceloop_cli.commands.bridge import command
        case _:
            raise KeyError(verb)
    return command


class Commands(MutableMapping[str, click.Command]):
    """The verbs' commands by name, each loaded when it is first looked up, with its examples."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command | None] = dict.fromkeys((*VERBS, *_HIDDEN))

    def __getitem__(self, verb: str) -> click.Command:
        command = self._loaded[verb]
        if command is None:
            command = self._loaded[verb] = loaded(verb)
            add_examples(command, verb)
        return command

    def __setitem__(self, verb: str, command: click.Command) -> None:
        self._loaded[verb] = command

    def __delitem__(self, verb: str) -> None:
        del self._loaded[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)
