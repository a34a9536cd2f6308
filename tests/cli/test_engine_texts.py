# SPDX-License-Identifier: Apache-2.0
"""Edits of JSON and TOML texts: what was asked for is there, and every other byte stays."""

from __future__ import annotations

import json
import tomllib

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
TEXTS = {
    "nothing": "",
    "others": 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "x" # pause\n',
    "the table": '# mine\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]  # runc\n    runtime_type = "t"\n\n[x]\n',
    "quoted otherwise": "[plugins.'io.containerd.grpc.v1.cri'.containerd . runtimes.\"runc\"]\n[x]\n",
    "its options": '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n',
    "the key": f'[{".".join(map(json.dumps, TABLE))}]\n\tbase_runtime_spec="/etc/x.json"  # keep\n\truntime_type = "t"\n',
    "no last newline": f"[{'.'.join(map(json.dumps, TABLE))}]\n  runtime_type = 't'\n"[:-1],
    "a list that looks so": "a = [\n[1]\n]\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_key_is_set_and_taken_out_again(name) -> None:
    text = TEXTS[name]
    edited = tomltext.set_key(text, TABLE, "base_runtime_spec", "/etc/ours.json", {"runtime_type": "t"})
    value = tomllib.loads(edited)
    for part in TABLE:
        value = value[part]
    assert (value["base_runtime_spec"], value.get("runtime_type", "t")) == ("/etc/ours.json", "t")
    assert tomltext.strip(edited) == (text if not text or text.endswith("\n") else text + "\n")
    again = tomltext.set_key(edited, TABLE, "base_runtime_spec", "/etc/ours.json", {"runtime_type": "t"})
    assert again == edited
    moved = tomltext.set_key(edited, TABLE, "base_runtime_spec", "/moved.json", {"runtime_type": "t"})
    assert "/moved.json" in moved
    assert tomltext.strip(moved) == tomltext.strip(edited)


@pytest.mark.parametrize(
    "text",
    [
        'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.runtime_type = "t"\n',
        '[plugins]\n"io.containerd.grpc.v1.cri" = {containerd = {runtimes = {runc = {}}}}\n',
    ],
)
def test_a_table_that_cannot_be_edited_so_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"."):
        tomltext.set_key(text, TABLE, "base_runtime_spec", "/x", {})
