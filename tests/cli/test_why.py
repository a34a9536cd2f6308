# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl why and the first lines of info, with a daemon and without one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from archives import INFO, failed_snapshot
from fake_daemon import BUSYBOX, NO_DAEMON, ctl, daemon, path

from traceloop_decode.archive_file import NONE, pack
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

ROOT = Path(__file__).parents[2]
KINDS = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "null": type(None)}


@pytest.fixture
def failed(daemon: Any) -> Any:
    daemon.file = pack(INFO, failed_snapshot(), NONE)
    return daemon


SENTENCE = "server could not open /etc/app.conf: it does not exist."


def test_the_screen(failed: Any, ctl: Any) -> None:
    screen = ctl("why", "node1_default_mypod").splitlines()
    (cause,) = (line for line in screen if line.startswith("why"))
    assert cause == f"why       {SENTENCE} [certain]"
    evidence = screen[screen.index(cause) + 1]
    found = re.fullmatch(
        r' +(00:00\.\d{9}) tid 7  openat\(AT_FDCWD, "/etc/app.conf", O_RDONLY\) = -1 ENOENT \(.*\)', evidence
    )
    assert found
    assert screen[-1] == f"More: traceloopctl show {INFO.trace_id} --around {found[1]}"
    assert "stderr    | cannot read /etc/app.conf" in screen
    assert "\33" not in "".join(screen)
    assert f"\33[31m{SENTENCE}\33[0m" in ctl("why", "node1_default_mypod", "--color", "always")


def test_without_an_id_the_newest_that_failed(failed: Any, ctl: Any) -> None:
    well = pb.Trace(id="well", exit_code=0, started_ns=9, ended_ns=2 * BUSYBOX.ended_ns)
    stopped = [pb.Trace(id=f"stopped{code}", exit_code=code, ended_ns=3 * BUSYBOX.ended_ns) for code in (130, 143)]
    stopped.append(pb.Trace(id="terminated", signal=15, ended_ns=3 * BUSYBOX.ended_ns))
    failed.traces = [well, BUSYBOX, pb.Trace(id="older", signal=9, ended_ns=7), *stopped]
    assert SENTENCE in ctl("why")
    assert failed.asked == [BUSYBOX.id]
    failed.traces = [well, *stopped]
    message = "no container failed: name a trace's ID, as `traceloopctl list` shows it"
    assert ctl("why", status=1) == message


def test_a_file_needs_no_daemon(ctl: Any, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(pack(INFO, failed_snapshot(), NONE))
    screen = ctl("why", "--file", str(file), *NO_DAEMON)
    assert SENTENCE in screen
    assert f"show --file {file} --around" in screen
    assert ctl("why", "x", "--file", str(file), status=2).startswith("ID and --file are mutually exclusive")
    file.write_bytes(b"no archive")
    assert ctl("why", "--file", str(file), status=1).startswith(f"{file}: ")


def test_what_a_files_maker_chose_cannot_reach_the_terminal(ctl: Any, tmp_path: Path) -> None:
    file = tmp_path / "of a\33[2Jticket"
    file.write_bytes(pack(replace(INFO, trace_id="a\33]0;x\7\nwhy       b", image="\33[31m"), failed_snapshot(), NONE))
    screen = ctl("why", "--file", str(file), *NO_DAEMON)
    assert re.fullmatch(r"[\n -~]+", screen)
    assert "why       b" not in screen.splitlines()
    assert f"show --file '{tmp_path}/of a\\33[2Jticket' --around" in screen


def test_info_begins_with_the_causes(failed: Any, ctl: Any, tmp_path: Path) -> None:
    assert ctl("info", "node1_default_mypod").splitlines()[:2] == [f"why: {SENTENCE}", "id: node1_default_mypod"]
    file = tmp_path / "f"
    file.write_bytes(pack(INFO, b"no snapshot", NONE))
    assert ctl("info", "--file", str(file), *NO_DAEMON).startswith("why: not known: ")
    failed.traces = [pb.Trace(id="well", exit_code=0)]
    assert ctl("info", "well").startswith("id: well\n")


def test_the_object_follows_its_schema(failed: Any, ctl: Any) -> None:
    found = json.loads(ctl("why", "node1_default_mypod", "-o", "json"))
    schema = json.loads((ROOT / "docs/why.schema.json").read_text())
    assert check(found, schema, schema["$defs"]) == []
    assert found["causes"][0]["kind"] == "file-missing"
    assert found["last_words"][0]["lines"] == ["cannot read /etc/app.conf"]
    del found["causes"][0]["sure"]
    found["waits"] = [{"comm": 1}]
    faults = check(found, schema, schema["$defs"])
    assert faults == ["causes.0: not sure", "waits.0.comm: 1", "waits.0: not evidence waited_ns what"]


def test_every_kind_is_documented() -> None:
    source = "".join(file.read_text() for file in (ROOT / "decode/traceloop_decode/causes").rglob("*.py"))
    kinds = {*re.findall(r'\b(?:Rule|Finding|finding)\(\s*"([a-z-]+)"', source)}
    assert len(kinds) > 40
    listed = (ROOT / "docs/why.md").read_text().partition("## Kinds of causes")[2]
    assert kinds == {*re.findall(r"`([a-z]+-?[a-z-]*)`", listed)}


def check(value: Any, schema: dict[str, Any], defs: dict[str, Any], at: str = "") -> list[str]:
    """Returns what does not follow a schema; knows the keywords that docs/why.schema.json uses."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if "const" in schema or "enum" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{at}: {value}"]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(type(value) is KINDS[kind] for kind in kinds):
        return [f"{at}: {value}"]
    faults = []
    if isinstance(value, dict):
        properties = schema["properties"]
        missing = sorted({*schema["required"]} - value.keys())
        faults += [f"{at}: not {' '.join(missing)}"] if missing else []
        faults += [f"{at}.{name}: not in the schema" for name in value.keys() - properties.keys()]
        for name in value.keys() & properties.keys():
            faults += check(value[name], properties[name], defs, f"{at}.{name}".lstrip("."))
    if isinstance(value, list):
        for n, one in enumerate(value):
            faults += check(one, schema["items"], defs, f"{at}.{n}")
    return sorted(faults)
