# SPDX-License-Identifier: Apache-2.0
"""Settings are read, merged, refused with file and line, and documented."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st

from traceloop_daemon.errors import ConfigError
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.settings import reference
from traceloop_daemon.settings.files import load
from traceloop_daemon.settings.keys import Config, RecordMode
from traceloop_daemon.settings.toml_lines import lines_of

pytestmark = pytest.mark.installed

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "packaging" / "traceloop.toml"
DAEMON = Path(sys.executable).with_name("traceloopd")


@pytest.fixture
def file(tmp_path):
    (tmp_path / "t.toml.d").mkdir()
    return tmp_path / "t.toml"


def faults(file):
    with pytest.raises(ConfigError) as error:
        load(file)
    return str(error.value).splitlines()


def test_a_file_changes_what_it_names(file):
    file.write_text('node = "n1"\n[ring]\nsize = "4M"\n[record]\nsandboxes = true\nmode = "opt-in"\n')
    config = load(file).config
    assert (config.node_name, config.ring.size, config.ring.item_max) == ("n1", 4 << 20, 256)
    assert (config.record.sandboxes, config.record.mode) == (True, RecordMode.OPT_IN)
    assert config.capture.policy is CapturePolicy.ALL


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have a host name of its own")
@pytest.mark.parametrize(("host", "node"), [("db-1", "db-1"), ("(none)", "localhost"), ("", "localhost")])
def test_the_node_has_the_hosts_name(host: str, node: str) -> None:
    code = "import socket, sys; from traceloop_daemon.settings.keys import Config; socket.sethostname(sys.argv[1]); "
    command = ["unshare", "--uts", sys.executable, "-c", f"{code} print(Config().node_name)", host]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{node}\n"


def test_without_any_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.setattr("traceloop_daemon.settings.files.DEFAULT_FILE", tmp_path / "none.toml")
    assert load().config == Config()


def test_drop_ins_win_by_name_and_key_by_key(file):
    file.write_text('[ring]\nsize = "1M"\nitem_max = 100\nspare = 3\n')
    drop_ins = file.with_name("t.toml.d")
    (drop_ins / "10-a.toml").write_text('ring.size = "2M"\nring.item_max = 200\n')
    (drop_ins / "20-b.toml").write_text('ring = { size = "4M" }\n')
    (drop_ins / "30-c.conf").write_text("not read")
    (drop_ins / ".40-d.toml").write_text("not read")
    loaded = load(file)
    ring = loaded.config.ring
    assert (ring.size, ring.item_max, ring.spare) == (4 << 20, 200, 3)
    shown = str(loaded).splitlines()
    assert f'size = "4M"  # {drop_ins}/20-b.toml:1' in shown
    assert f"item_max = 200  # {drop_ins}/10-a.toml:2" in shown
    assert f"spare = 3  # {file}:4" in shown
    assert "call_max = 1024  # default" in shown
    assert 'node = "of-option"  # --node' in str(load(None, {"node": "of-option"}))
    assert tomllib.loads(str(loaded))["ring"]["size"] == "4M"


def test_drop_ins_of_a_default_file_that_is_not_there_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("traceloop_daemon.settings.files.DEFAULT_FILE", tmp_path / "t.toml")
    (tmp_path / "t.toml.d").mkdir()
    (tmp_path / "t.toml.d" / "a.toml").write_text('node = "dropped-in"')
    assert load().config.node == "dropped-in"


WRONG = [
    ("[ring]\nsise = 1\n", 2, "there is no key ring.sise: did you mean ring.size?"),
    ("ring_size = 1\n", 1, "there is no key ring_size: did you mean ring.size?"),
    ("\n\nring.sise = 1\n", 3, "did you mean ring.size?"),
    ("ring = { size = 65536, sise = 1 }\n", 1, "did you mean ring.size?"),
    ('["ring"]\n# a comment\n"sise" = 1\n', 3, "did you mean ring.size?"),
    ("[record]\nitem_max = 1\n", 2, "there is no key record.item_max: did you mean ring.item_max?"),
    ("[rign]\nsize = 1\nspare = 1\n", 1, "there is no table [rign]: did you mean [ring]?"),
    ("[a]\nb = 1\n", 1, "there is no table [a]"),
    ("[ring.size]\nx = 1\n", 1, "ring.size = {'x': 1} is not a size"),
    ("ring = 5\n", 1, "ring is a table: write [ring] above its keys"),
    ("[[ring]]\nsize = 1\n", 1, "ring is a table"),
    ("zzz = 1\n", 1, "there is no key zzz"),
    ('[ring]\nsize = "1X"\n', 2, 'ring.size = "1X" is not a size: a number of bytes, or'),
    ("[ring]\nsize = 1\n", 2, "ring.size = 1 is not a size from 64K to 256M"),
    ('[ring]\nsize = "512M"\n', 2, 'ring.size = "512M" is not a size from 64K to 256M'),
    ('[ring]\nfirsts_size = "17M"\n', 2, 'ring.firsts_size = "17M" is not a size from 0 to 16M'),
    (
        '[capture]\nskip = ["futex", "futx"]\n',
        2,
        "is not a list of system calls and classes, as -e takes them: 'futx' is none",
    ),
    ('[capture]\nskip = ["!futex"]\n', 2, "as -e takes them: '!futex' is none"),
    ('[capture]\nskip = "futex"\n', 2, "is not a list of strings"),
    ("[ring]\nsize = true\n", 2, "ring.size = true is not a size"),
    ("[ring]\nspare = 0\n", 2, "is not a number from 1 to 256"),
    ("[ring]\nspare = 1.0\n", 2, "is not a number"),
    ('[record]\nsandboxes = "no"\n', 2, 'record.sandboxes = "no" is not true or false'),
    ('[record]\nmode = "none"\n', 2, 'is not one of "all", "opt-in"'),
    ("[record]\nmode = []\n", 2, 'is not one of "all", "opt-in"'),
    ('[record]\nimages = "*"\n', 2, "is not a list of strings"),
    ("[record]\nimages = [\n 1,\n]\n", 2, "is not a list of strings"),
    ("node = 1979-05-27\n", 1, "is not a string in quotes"),
    ('node = "a\\u001b[31m"\n', 1, 'node = "a\\u001b[31m" is not a string in quotes, of printable'),
    ("[redact]\npatterns = ['(a+)+b']\n", 2, "'(a+)+b' repeats a choice or a repeat"),
    ("[redact]\npatterns = ['(']\n", 2, "is not a list of regular expressions: '(': missing )"),
    (
        '[metrics]\ntextfile = "x.prom"\n',
        2,
        'metrics.textfile = "x.prom" is not "", or an absolute path that ends in .prom',
    ),
    ('[metrics]\ntextfile = "/run/x"\n', 2, 'is not "", or an absolute path'),
    ("[metrics]\ninterval = 0\n", 2, "metrics.interval = 0 is not a span of time of at least 1s"),
    ("[ring]\nitem_max = 1000\ncall_max = 500\n", 3, "ring.call_max is less than ring.item_max (1000)"),
    ("[ring]\nitem_max = 2000\n", None, "default: ring.call_max is less than ring.item_max (2000)"),
    ("node = \n", 1, "not TOML: Invalid value"),
    ("node = 'a'\nnode = 'b'\n", 2, "not TOML: Cannot overwrite a value"),
    ("a = [\n1,\n", 3, "not TOML: Invalid value (at end of document)"),
    ("a = " + "[" * 100_000, 1, "not TOML"),
    ("a = 1" + "0" * 5000, 1, "not TOML"),
]


@pytest.mark.parametrize(("text", "line", "reason"), WRONG, ids=[reason[:40] for _, _, reason in WRONG])
def test_every_fault_is_one_line_with_its_place(file, text, line, reason):
    file.write_text(text)
    (fault,) = faults(file)
    assert reason in fault
    assert line is None or fault.startswith(f"{file}:{line}: ")
    assert fault.isascii()
    assert fault.isprintable()


def test_all_faults_of_all_files_are_told_at_once(file):
    file.write_bytes(b"[ring]\nsise = 1\nspare = -1\n")
    drop_ins = file.with_name("t.toml.d")
    (drop_ins / "a.toml").write_bytes(b"\n# \xff\n")
    (drop_ins / "b.toml").write_bytes(b"[record\n")
    (drop_ins / "c.toml").mkdir()
    found = faults(file)
    assert [fault.split(": ")[0] for fault in found] == [
        f"{file}:2",
        f"{drop_ins}/a.toml:2",
        f"{drop_ins}/b.toml:1",
        f"{drop_ins}/c.toml",
        f"{file}:3",
    ]


def test_a_missing_file_is_named(tmp_path):
    assert faults(tmp_path / "nowhere.toml") == [f"{tmp_path}/nowhere.toml: No such file or directory"]


def test_a_wrong_value_that_a_later_file_replaces_is_no_fault(file):
    file.write_text('[ring]\nsize = "wrong"\n')
    (file.with_name("t.toml.d") / "a.toml").write_text('[ring]\nsize = "1M"\n')
    assert load(file).config.ring.size == 1 << 20


def test_the_shipped_file_is_the_reference():
    assert SHIPPED.read_text() == reference.text(), "make settings"


def test_the_shipped_file_changes_nothing_and_shows_the_defaults(file):
    assert load(SHIPPED).config == Config()
    lines = SHIPPED.read_text().splitlines()
    file.write_text("\n".join(line.removeprefix("#") if line[:2] != "# " else line for line in lines))
    loaded = load(file)
    assert loaded.config == Config()
    assert {setting.origin for setting in loaded.settings} & {"default"} == set()


def test_check_config(file):
    command = [DAEMON, "--check-config", "--config", file]
    file.write_text('[ring]\nsize = "2M"\n')
    right = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (right.returncode, right.stderr) == (0, "")
    assert f'size = "2M"  # {file}:2' in right.stdout
    file.write_text("[ring]\nsise = 1\nspare = 0\n")
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.splitlines() == [
        f"traceloopd: {file}:2: there is no key ring.sise: did you mean ring.size?",
        f"traceloopd: {file}:3: ring.spare = 0 is not a number from 1 to 256",
    ]
    start = subprocess.run([DAEMON, "--config", file], capture_output=True, text=True, check=False)
    assert (start.returncode, start.stderr) == (1, wrong.stderr)


def test_lines_of_keys():
    text = (
        '# a comment\na = 1\n\nb.c.d = """\nx = 1\n"""\n[t] # head\nl = [\n  1, # one\n  2,\n]\nm = {n = 1, "o.p" = 2}\n'
        "[t.u.'v w']\r\nx = '''\n[no]\ny = 2'''\n[[many]]\nq = 1\n"
    )
    assert lines_of(text) == {
        ("a",): 2,
        ("b",): 4,
        ("b", "c"): 4,
        ("b", "c", "d"): 4,
        ("t",): 7,
        ("t", "l"): 8,
        ("t", "m"): 12,
        ("t", "m", "n"): 12,
        ("t", "m", "o.p"): 12,
        ("t", "u"): 13,
        ("t", "u", "v w"): 13,
        ("t", "u", "v w", "x"): 14,
        ("many",): 17,
    }


_KEYS = st.sampled_from(["a", "b", "'c d'", '"e"', "f.g", "a.'.'"])
_VALUES = st.sampled_from(["1", "'x'", '"""\n[no]\na = 1\n"""', "[\n1,\n2]", "{ x = 1, y.z = '''\n''' }", "'''\n#'''"])
_LINES = st.one_of(
    st.tuples(_KEYS, _VALUES).map(" = ".join), _KEYS.map("[{}]".format), st.sampled_from(["", "# x = 1", "  "])
)


@given(st.lists(_LINES, max_size=8))
def test_every_key_has_a_line_which_begins_with_it(parts):
    text = "\n".join(parts)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    def walk(keys, above):
        for key, value in keys.items():
            yield (*above, key)
            if isinstance(value, dict):
                yield from walk(value, (*above, key))

    found = lines_of(text)
    assert set(walk(tables, ())) <= set(found)
    starts, at = set(), 1
    for part in parts:
        starts.add(at)
        at += part.count("\n") + 1
    assert set(found.values()) <= starts
