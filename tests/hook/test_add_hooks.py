# SPDX-License-Identifier: Apache-2.0
"""traceloop-add-hooks finds the bundle in any command line, and adds hooks to any configuration."""

from __future__ import annotations

import _json
import json

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import example, given
from hypothesis import strategies as st
from readme import hooks_by_hand
from runtimewrapper import HOOK, adder, our_hooks

from traceloop_cli.engines import guard

_GLOBALS = st.lists(
    st.sampled_from(
        [
            ["--root", "create"],
            ["--root=/r"],
            ["-root", "run"],
            ["--log", "/l"],
            ["--log=/l"],
            ["--log-format", "json"],
            ["--debug"],
            ["--systemd-cgroup"],
            ["--cgroup-manager=systemd"],
            ["--cgroup-manager", "create"],
            ["--rootless", "false"],
            ["--criu", "create"],
        ]
    )
)
_OF_VERB = st.lists(
    st.sampled_from(
        [
            ["--pid-file", "--bundle"],
            ["--pid-file=/p"],
            ["--console-socket", "-b"],
            ["--no-pivot"],
            ["--preserve-fds", "3"],
            ["--preserve-fds=3"],
            ["--detach"],
            ["-d"],
        ]
    )
)
_BUNDLES = st.sampled_from(
    [["--bundle", "/B"], ["--bundle=/B"], ["-b", "/B"], ["-b/B"], ["-b=/B"], ["-bundle", "/B"], []]
)


@given(_GLOBALS, st.sampled_from(["create", "run"]), _OF_VERB, _BUNDLES, _OF_VERB)
def test_the_bundle_is_found_wherever_it_is_said(first, verb, before, bundle, after) -> None:
    words = [word for group in (*first, [verb], *before, bundle, *after, ["c1"]) for word in group]
    found, values = adder.read_words(words)
    assert found == verb
    assert values.get("bundle", "").lstrip("=") == ("/B" if bundle else "")


@given(
    st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["--", "-", "-b", "--bundle", "=", "create", "--root"])))
)
def test_any_words_are_read(words) -> None:
    verb, values = adder.read_words(words)
    assert verb == "" or verb in words
    assert all(any(value in word for word in words) for value in values.values())


# -- configurations

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
_HOOK_LIST = st.none() | st.lists(st.fixed_dictionaries({"path": st.text(), "args": st.lists(st.text())}), max_size=3)
_HOOKS = st.none() | st.dictionaries(
    st.sampled_from(["prestart", "poststop", "poststart", "createRuntime"]), _HOOK_LIST
)
_CONFIGS = st.builds(
    lambda rest, hooks, there, first: {
        **({"hooks": hooks} if there and first else {}),
        **{key: value for key, value in rest.items() if key.lower() not in ("hooks", "prestart", "poststop")},
        **({"hooks": hooks} if there else {}),
    },
    st.dictionaries(st.text(), _JSON, max_size=5),
    _HOOKS,
    st.booleans(),
    st.booleans(),
)
ENTRIES = {stage: json.dumps(hooks[0]) for stage, hooks in our_hooks().items()}


@given(_CONFIGS, st.sampled_from([None, 2, "\t"]), st.booleans(), st.sampled_from([("", ""), ("\r\n ", "\n\t ")]))
def test_a_configuration_gets_our_hooks_and_keeps_the_rest(config, indent, ascii_only, around) -> None:
    text = around[0] + json.dumps(config, indent=indent, ensure_ascii=ascii_only) + around[1]
    result = adder.with_hooks(text, ENTRIES)
    wanted = {**config, "hooks": dict(config.get("hooks") or {})}
    for stage, entry in ENTRIES.items():
        wanted["hooks"][stage] = [*(wanted["hooks"].get(stage) or []), json.loads(entry)]
    assert json.loads(result) == wanted
    assert adder.with_hooks(result, ENTRIES) == result


@given(st.text(alphabet='{}[]",:x \n01.e-\\nulhoks') | st.text())
@example('{"hooks":{"prestart":[]')
@example('{"hooks":')
@example('{"a":1,')
@example("{")
@example('{"a":1,}')
@example('{"hooks":{"prestart":[],}}')
def test_any_text_gets_hooks_or_is_refused(text) -> None:
    try:
        result = adder.with_hooks(text, ENTRIES)
    except adder.Unrecorded:
        return
    assert "traceloop-hook" in result
    # Some parsers let a comma follow the last member, but not two.
    assert isinstance(json.loads(text, strict=False), dict)


@pytest.mark.parametrize("name", ["Hooks", "hook\u017f", "hoo\u212as"])
def test_names_that_go_takes_for_others_are_refused(name) -> None:
    """Go's encoding/json folds case, also that of the long s and of the Kelvin sign."""
    with pytest.raises(adder.Unrecorded):
        adder.with_hooks(json.dumps({name: {}}), ENTRIES)


def test_a_scanner_that_knows_further_hooks(monkeypatch) -> None:
    """Python 3.15 asks for `array_hook`, and whatever comes after it may ask for others."""
    make_scanner = _json.make_scanner

    def newer(context):
        assert context.array_hook is None
        return make_scanner(context)

    monkeypatch.setattr(_json, "make_scanner", newer)
    assert "traceloop-hook" in adder.with_hooks('{"a": [1]}', ENTRIES)


@pytest.mark.parametrize("kind", ["", "file:", "syslog:", "journald:"])
def test_the_log_is_what_crun_takes_it_for(tmp_path, monkeypatch, kind) -> None:
    """crun(1), --log: a path, or one of these before a path or an identifier."""
    monkeypatch.chdir(tmp_path)
    adder.say("x", f"{kind}log", "json")
    assert [path.name for path in tmp_path.iterdir()] == (["log"] if kind in ("", "file:") else [])


def test_all_that_has_the_hook_run_has_it_run_in_one_way() -> None:
    packaged = "/usr/libexec/oci/hooks.d/traceloop-hook"
    wirings = json.loads(f"{{{hooks_by_hand()}}}")["hooks"]
    for stage, word in adder.STAGES.items():
        assert our_hooks()[stage] == [guard.entry(str(HOOK), [word])]
        assert wirings[stage] == [guard.entry(packaged, [word])]
