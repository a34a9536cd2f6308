# SPDX-License-Identifier: Apache-2.0
"""Edits of JSON and TOML texts make the requested change, and keep every other byte."""

from __future__ import annotations

import difflib
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st

from traceloop_cli.engines import tomltext
from traceloop_cli.engines.jsontext import remove_member, set_member

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.text(), _VALUES, max_size=4)
_STYLES = st.sampled_from([None, 1, 2, 4, "\t"])


@given(
    _OBJECTS, st.dictionaries(st.sampled_from(["traceloop", "nvidia", "a"]), _OBJECTS, max_size=3), _STYLES, _OBJECTS
)
def test_a_member_is_set_and_taken_out_again(config, runtimes, indent, value) -> None:
    config = {**config, "runtimes": runtimes}
    text = json.dumps(config, indent=indent) + "\n"
    edited = set_member(text, ("runtimes", "traceloop"), value)
    assert json.loads(edited) == {**config, "runtimes": {**runtimes, "traceloop": value}}
    if "traceloop" not in runtimes:
        without = remove_member(edited, ("runtimes", "traceloop"))
        assert json.loads(without) == config
        assert without == text or not runtimes


@given(_OBJECTS, _STYLES, _VALUES)
def test_objects_on_the_way_are_made(config, indent, value) -> None:
    config.pop("a", None)
    edited = set_member(json.dumps(config, indent=indent), ("a", "b", "c"), value)
    assert json.loads(edited) == {**config, "a": {"b": {"c": value}}}
    assert json.loads(remove_member(edited, ("a", "b", "c"))) == {**config, "a": {"b": {}}}


def test_the_authors_hand_is_kept() -> None:
    text = '{\n    "data-root": "/srv/docker" ,\n    "log-opts": {"max-size": "10m"}\n}\n'
    edited = set_member(text, ("runtimes", "x"), {"path": "/p"})
    assert edited == (
        '{\n    "data-root": "/srv/docker" ,\n    "log-opts": {"max-size": "10m"},\n'
        '    "runtimes": {\n        "x": {\n            "path": "/p"\n        }\n    }\n}\n'
    )
    assert set_member(text, ("log-opts", "max-file"), "3").count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a" 1}', '{"a": 1 "b"}', '{"a": 1, "a": 2}', '{"runtimes": 1}', "{'a'"]
)
def test_what_is_no_object_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"."):
        set_member(text, ("runtimes", "x"), {})


TABLE = ("plugins", "io.containerd.grpc.v1.cri", "containerd", "runtimes", "runc")
RUNC = 'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc'
RUNTIMES = RUNC.removesuffix(".runc")
# Debian's, from the package containerd 1.6.20, and handwritten ones
TEXTS = {
    "nothing": "",
    "others": 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "x" # pause\n',
    "the table": f'# mine\n[{RUNC}]  # runc\n    runtime_type = "t"\n\n[x]\n',
    "quoted otherwise": "[plugins.'io.containerd.grpc.v1.cri'.containerd . runtimes.\"runc\"]\n[x]\n",
    "its options": f"[{RUNC}.options]\n  SystemdCgroup = true\n",
    "the key": f'[{RUNC}]\n\tbase_runtime_spec="/etc/x.json"  # keep\n\truntime_type = "t"\n',
    "no last newline": f"[{RUNC}]\n  runtime_type = 't'",
    "a list that looks so": "a = [\n[1]\n]\n",
    "CRLF": f'version = 2\r\n\r\n[{RUNC}]\r\n  runtime_type = "t" # c\r\n\r\n[{RUNC}.options]\r\n  S = true\r\n',
    "CRLF, the key": f"[{RUNC}]\r\n  base_runtime_spec = '' # c \r\n",
    "CRLF, no table": "version = 2\r\n\r\n[x]\r\n",
    "other ends of lines": f'# a\x85b\u2028c\n[{RUNC}]\n  note = "a\u2028b\x85"\n',
    "dotted": f'version = 2\n{RUNC}.runtime_type = "t" # why\n{RUNC}.options.S = true\n',
    "dotted, the key": f'{RUNC}.runtime_type = "t"\n{RUNC}.base_runtime_spec = "" # c\n',
    "dotted below a header": '[plugins."io.containerd.grpc.v1.cri"]\n\tcontainerd.runtimes.runc.runtime_type = "t"\n\n[x]\n',
    "inline": f'[{RUNTIMES}]\n  runc = {{ runtime_type = "t", options = {{S = true}} }} # why\n  other = {{  }}\n',
    "inline, tight": f'[{RUNTIMES}]\nrunc={{runtime_type="t"}}# why\n',
    "inline, empty": f"[{RUNTIMES}]\n  runc = {{ }}\n",
    "inline, dotted, CRLF": f'{RUNC} = {{ runtime_type = "t" }}\r\n',
    "arrays of tables": f"[[p]]\na = 1\n[[p]]\na =2\n\n[{RUNC}]\n  runtime_type = 't'\n[[q]]\n x =  1\n",
    "odd spacing": f"  version=2\n\t[ {RUNC} ]   # head\n\n\truntime_type   =   't'\t# c\n\n\n# trailing\n",
    # tomlkit 0.11.7 breaks the next four: it loses the key, or defines the table twice.
    "another plugin's table between": (
        f'version = 2\n[{RUNC}]\n  runtime_type = "t"\n[timeouts]\n  a = "1"\n'
        '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/o"\n'
    ),
    "the registry's table between": (
        f'[{RUNC}]\n  runtime_type = "t"\n[plugins."io.containerd.grpc.v1.cri".registry]\n  a = 1\n[{RUNC}.options]\n  S = true\n'
    ),
    "options first": f'[{RUNC}.options]\n  S = true\n[{RUNC}]\n  runtime_type = "t"\n',
    "options apart": f'[{RUNC}]\n  runtime_type = "t"\n[timeouts]\n  a = "1"\n[{RUNC}.options]\n  S = true\n',
}


def _set(text: str, value: str) -> str:
    return tomltext.set_key(text, TABLE, "base_runtime_spec", value, {"runtime_type": "t"})


@pytest.mark.parametrize("name", TEXTS)
def test_a_key_is_set_and_taken_out_again(name) -> None:
    text = TEXTS[name]
    edited = _set(text, "/etc/ours.json")
    value = tomllib.loads(edited)
    for part in TABLE:
        value = value[part]
    assert (value["base_runtime_spec"], value.get("runtime_type", "t")) == ("/etc/ours.json", "t")
    assert tomltext.strip(edited) == (text if not text or text.endswith("\n") else text + "\n")
    assert _set(edited, "/etc/ours.json") == edited
    moved = _set(edited, "/moved.json")
    assert "/moved.json" in moved
    assert tomltext.strip(moved) == tomltext.strip(edited)


@pytest.mark.parametrize("name", TEXTS)
def test_no_line_changes_but_the_keys(name) -> None:
    text = TEXTS[name]
    edited = _set(text, "/etc/ours.json")
    differ = [line for line in difflib.ndiff(text.split("\n"), edited.split("\n")) if line[0] in "+-"]
    removed = [line for line in differ if line.startswith("-") and line.strip("- \r")]
    assert len(removed) <= 1
    for line in removed:  # the mark holds the previous text
        assert f"instead of {line[2:].strip()}" in edited
    if "\r" in text:
        assert edited.count("\r\n") == edited.count("\n")


def test_the_engines_own_files_are_edited(engine_file) -> None:
    text = engine_file.decode()
    edited = _set(text, "/etc/ours.json")
    assert tomltext.strip(edited) == text


@pytest.fixture(
    params=["containerd config default", "/etc/containerd/config.toml", "/usr/share/containers/containers.conf"]
)
def engine_file(request):
    """Returns a file of an installed engine, or its output."""
    command = request.param.split()
    if len(command) > 1 and shutil.which(command[0]):
        return subprocess.run(command, check=True, capture_output=True).stdout
    if Path(request.param).is_file():
        return Path(request.param).read_bytes()
    pytest.skip(f"{request.param}: the engine is not installed")


@pytest.mark.parametrize(
    "text",
    [
        '[plugins]\n"io.containerd.grpc.v1.cri" = {containerd = {runtimes = {runc = {}}}}\n',
        f'[{RUNTIMES}]\nrunc = {{ base_runtime_spec = "/x" }}\n',
        f'a = """\n[{RUNC}]\n"""\n[{RUNC}]\n  runtime_type = "t"\n',
        "plugins = 1\n",
        f"[[{RUNC}]]\n",
        "a = \n",
    ],
)
def test_a_table_that_cannot_be_edited_so_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"."):
        tomltext.set_key(text, TABLE, "base_runtime_spec", "/etc/ours.json", {})
