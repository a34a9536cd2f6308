# SPDX-License-Identifier: Apache-2.0
"""traceloop-runtime: the runtime gets the engine's arguments, the bundle gets its hooks, and no fault stops either."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from lab import Daemon, Runc, make_bundle, make_root
from runtimewrapper import ADDER, HOOK, SOURCE, adder, our_hooks

pytestmark = pytest.mark.installed

# Prints what a process inherits from the one that executes it.
RUNTIME = """#!/bin/bash
umask
tr '\\0' '\\n' < /proc/$$/environ | sort
grep SigIgn /proc/self/status
readlink /proc/$$/cwd
cat
echo to stderr >&2
for fd in 5 6 77; do readlink /proc/$$/fd/$fd; done
for word; do printf '%s\\0' "$word"; done
exit "$STATUS"
"""
CONFIG = (
    '{\n\t"ociVersion": "1.0.2-dev",\n\t"process": {"args": ["sh"], "rlimits": [{"hard": 18446744073709551615}]}\n}\n'
)


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    path = tmp_path / "bin/runc"
    path.parent.mkdir()
    path.write_text(RUNTIME)
    path.chmod(0o755)
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "config.json").write_text(CONFIG)
    return path


def run(
    runtime: Path, *words: str | Path | bytes, own: Path = SOURCE, **settings
) -> subprocess.CompletedProcess[bytes]:
    env = {"STATUS": "0", "PATH": f"{runtime.parent}:{os.environ['PATH']}"}
    return subprocess.run([own, *words], **{"capture_output": True, "env": env, "input": b"", **settings}, check=False)


def hooks_of(bundle: Path) -> dict[str, list[dict[str, object]]]:
    return json.loads((bundle / "config.json").read_text()).get("hooks", {})


@pytest.mark.parametrize(
    "locale", [{}, {"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LC_CTYPE": "de_DE"}, {"LC_ALL": "C.UTF-8"}]
)
@pytest.mark.parametrize("words", [["state", "c1"], ["create", "--bundle", "BUNDLE", "c1"]])
def test_the_runtime_meets_what_it_would_have_met(runtime, bundle, locale, words) -> None:
    words = [str(bundle) if word == "BUNDLE" else word for word in words]
    read_end, write_end = os.pipe()
    plain, ours = [
        subprocess.run(
            [program, *words, b"\xff\xfe", "", "--", "é\n"],
            input=b"from stdin",
            capture_output=True,
            env={
                "STATUS": "3",
                "PATH": f"{runtime.parent}:/usr/bin:/bin",
                "LISTEN_FDS": "1",
                "PWD": str(bundle),
                **locale,
            },
            cwd=bundle,
            pass_fds=(read_end, write_end),
            umask=0o137,
            check=False,
        )
        for program in (runtime, SOURCE)
    ]
    os.close(read_end)
    os.close(write_end)
    assert b"SigIgn:\t" in plain.stdout
    assert (ours.returncode, ours.stdout, ours.stderr) == (3, plain.stdout, b"to stderr\n")
    assert hooks_of(bundle) == (our_hooks() if words[0] == "create" else {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_runtime_that_dies_of_a_signal(tmp_path, number) -> None:
    script = tmp_path / "runc"
    script.write_text(f"#!/bin/sh\nkill -{int(number)} $$\n")
    script.chmod(0o755)
    assert run(script, "start", "c1").returncode == -number


def test_a_signal_reaches_the_runtime(tmp_path) -> None:
    script = tmp_path / "runc"
    script.write_text("#!/bin/sh\ntrap 'exit 42' TERM\necho ready\nread _\n")
    script.chmod(0o755)
    command = [SOURCE, f"--traceloop-runtime={script}", "start", "c1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(30) == 42


def test_the_hooks_are_put_in_and_all_else_stays(runtime, bundle) -> None:
    (bundle / "config.json").chmod(0o640)
    os.chown(bundle / "config.json", 1234, 4321) if os.geteuid() == 0 else None
    before = (bundle / "config.json").stat()
    ended = run(runtime, "--traceloop-socket=/a b/hook.sock", "create", "-b", bundle, "c1")
    assert (ended.returncode, ended.stderr) == (0, b"to stderr\n")
    text = (bundle / "config.json").read_text()
    assert text.startswith(CONFIG.rstrip()[:-1])
    assert hooks_of(bundle) == our_hooks(HOOK, "--socket", "/a b/hook.sock")
    after = (bundle / "config.json").stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    run(runtime, "create", "--bundle", bundle, "c1")
    assert (bundle / "config.json").read_text() == text  # not added twice
    assert [path.name for path in bundle.iterdir()] == ["config.json"]


def test_hooks_of_others_stay_ahead(runtime, bundle) -> None:
    theirs = {"prestart": [{"path": "/bin/a"}], "poststart": [{"path": "/bin/b"}], "poststop": []}
    (bundle / "config.json").write_text(json.dumps({"hooks": theirs}))
    run(runtime, "run", "--bundle", bundle, "c1")
    ours = our_hooks()
    assert hooks_of(bundle) == {
        **theirs,
        "prestart": [*theirs["prestart"], *ours["prestart"]],
        "poststop": ours["poststop"],
    }


@pytest.mark.parametrize("name", ["runc", "traceloop-runtime", "crun"])
def test_it_never_takes_itself_for_the_runtime(tmp_path, runtime, name) -> None:
    first = tmp_path / "first"
    first.mkdir()
    for known in ("runc", "crun"):
        (first / known).symlink_to(SOURCE)
    (first / "traceloop-hook").symlink_to(HOOK)
    ended = subprocess.run(
        [
            first / "runc" if name == "runc" else SOURCE,
            f"--traceloop-runtime={name}" if name == "runc" else "state",
            "c1",
        ],
        env={"PATH": f"{first}:{runtime.parent}:/usr/bin:/bin", "STATUS": "0"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0
    assert ended.stdout.endswith(b"c1\0")


def test_its_name_says_which_runtime(tmp_path, runtime, bundle) -> None:
    crun = runtime.rename(runtime.with_name("crun"))
    (tmp_path / "traceloop-crun").symlink_to(SOURCE)
    ended = run(crun, "create", "--bundle", bundle, "c1", own=tmp_path / "traceloop-crun")
    assert ended.returncode == 0
    assert hooks_of(bundle) == our_hooks()  # found beside the link's target


def test_its_name_says_so_also_without_a_directory(tmp_path, runtime) -> None:
    """An empty member of PATH is the current directory, and a program of it may be executed by its name alone."""
    crun = runtime.rename(runtime.with_name("crun"))
    (tmp_path / "traceloop-crun").symlink_to(SOURCE)
    env = {"PATH": f":{crun.parent}:/usr/bin:/bin", "STATUS": "0"}
    ended = subprocess.run(
        ["traceloop-crun", "state", "c1"],
        cwd=tmp_path, env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout[-9:]) == (0, b"state\0c1\0")


def test_an_environment_that_python_would_not_pass_on(runtime) -> None:
    command = [
        "sh",
        "-c",
        'exec env -i "=odd" PATH="$0" STATUS=0 "$1" state c1',
        f"{runtime.parent}:/usr/bin:/bin",
        SOURCE,
    ]
    ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=True)
    assert ended.stdout.endswith(b"state\0c1\0")


def test_without_a_runtime_it_says_so(bundle) -> None:
    ended = subprocess.run(
        [SOURCE, "create", "c1"], env={"PATH": "/nonexistent"}, capture_output=True, cwd=bundle, check=False
    )
    assert ended.returncode == 127
    assert ended.stderr == (
        b"traceloop-runtime: there is no runc or crun on PATH except this script; install it, or give --traceloop-runtime=PATH\n"
    )


FAULTS = {
    "no config": lambda config: config.unlink(),
    "a directory": lambda config: (config.unlink(), config.mkdir()),
    "a pipe": lambda config: (config.unlink(), os.mkfifo(config)),
    "a link": lambda config: (config.rename(config.with_name("c")), config.symlink_to("c")),
    "empty": lambda config: config.write_bytes(b""),
    "noise": lambda config: config.write_bytes(bytes(range(256))),
    "cut off": lambda config: config.write_text(CONFIG[:-2]),
    "a list": lambda config: config.write_text("[]"),
    "two documents": lambda config: config.write_text(CONFIG + CONFIG),
    "hooks twice": lambda config: config.write_text('{"hooks": {}, "hooks": {}}'),
    "Hooks": lambda config: config.write_text('{"Hooks": {}}'),
    "hooks that are text": lambda config: config.write_text('{"hooks": "none"}'),
    "a stage that is text": lambda config: config.write_text('{"hooks": {"poststop": "none"}}'),
    "deep": lambda config: config.write_text('{"a":' * 100_000 + "1" + "}" * 100_000),
    "huge": lambda config: os.truncate(config, 1 << 30),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_container_starts_whatever_its_configuration_is(runtime, bundle, fault) -> None:
    FAULTS[fault](bundle / "config.json")
    before = sorted((path.name, path.lstat().st_ino) for path in bundle.iterdir())
    ended = run(runtime, "create", "--bundle", bundle, "c1", timeout=30)
    assert ended.returncode == 0
    assert ended.stdout.endswith(b"create\0--bundle\0" + bytes(bundle) + b"\0c1\0")
    line, last = ended.stderr.decode().splitlines()
    assert line.startswith(f"traceloop-add-hooks: not recorded: {bundle}/config.json: ")
    assert last == "to stderr"
    assert sorted((path.name, path.lstat().st_ino) for path in bundle.iterdir()) == before


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_what_went_wrong_goes_to_the_runtimes_log(runtime, bundle, log_format) -> None:
    (bundle / "config.json").unlink()
    log = bundle / "log"
    ended = run(runtime, "--log", log, "--log-format", log_format, "create", "--bundle", bundle, "c1")
    assert ended.stderr == b"to stderr\n"
    (line,) = log.read_text().splitlines()
    assert "not recorded" in line
    if log_format == "json":
        assert json.loads(line)["level"] == "warning"


def test_without_the_hook_beside_it_nothing_is_added(tmp_path, runtime, bundle) -> None:
    for path in (SOURCE, ADDER):
        shutil.copy(path, tmp_path / path.name)
    if Path(adder.PACKAGED, "traceloop-hook").exists():
        pytest.skip("the hook is installed")
    ended = run(runtime, "create", "--bundle", bundle, "c1", own=tmp_path / SOURCE.name)
    assert ended.returncode == 0
    assert f"there is no traceloop-hook in {tmp_path} or {adder.PACKAGED}" in ended.stderr.decode()
    assert (bundle / "config.json").read_text() == CONFIG


@pytest.mark.kernel
@pytest.mark.parametrize("options", ["size=8k", "ro"], ids=["full", "read-only"])
def test_a_container_starts_though_its_bundle_cannot_be_written(runtime, bundle, options) -> None:
    script = f"""
        mount -t tmpfs -o size=8k none {bundle}; printf '%s' '{CONFIG}' > {bundle}/config.json
        mount -o remount,{options} {bundle}; [ {options} = ro ] || head -c 8k /dev/zero > {bundle}/filler || :
        {SOURCE} create --bundle {bundle} c1 </dev/null; echo; ls {bundle}; cat {bundle}/config.json
    """
    env = {"STATUS": "0", "PATH": f"{runtime.parent}:{os.environ['PATH']}"}
    ended = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-ec", script], capture_output=True, env=env, check=True
    )
    assert b"c1\0\nconfig.json\n" in ended.stdout
    assert ended.stdout.endswith(CONFIG.encode())
    reason = "Read-only file system" if options == "ro" else "No space left on device"
    assert f"not recorded: {bundle}/config.json: {reason}" in ended.stderr.decode()


def test_a_container_starts_where_python_is_missing(tmp_path, runtime, bundle) -> None:
    for path in (SOURCE, HOOK, ADDER):
        shutil.copy(path, tmp_path / path.name)
    adder = tmp_path / ADDER.name
    adder.write_text(adder.read_text().replace("#!/usr/bin/python3", "#!/nonexistent/python3", 1))
    for gone in (False, True):
        adder.unlink() if gone else None
        ended = run(runtime, "create", "--bundle", bundle, "c1", own=tmp_path / SOURCE.name)
        assert (ended.returncode, ended.stdout.endswith(b"c1\0")) == (0, True)
        assert ended.stderr.count(b"\n") == 2
        assert b"traceloop-add-hooks: No such file or directory\nto stderr\n" in ended.stderr
    assert (bundle / "config.json").read_text() == CONFIG


def test_paths_with_blanks_and_patterns(tmp_path, runtime, bundle) -> None:
    folder = tmp_path / "a b * [x]"
    folder.mkdir()
    odd = Path(shutil.copy(runtime, folder / "my runtime"))
    assert run(runtime, f"--traceloop-runtime={odd}", "state", "*", "a  b").stdout.endswith(b"state\0*\0a  b\0")
    by_name = run(odd, "--traceloop-runtime=my runtime", "state", "c1")
    assert (by_name.returncode, by_name.stdout[-9:]) == (0, b"state\0c1\0")


def test_a_file_size_limit_does_not_stop_the_container(runtime, bundle) -> None:
    ended = run(
        runtime,
        *("create", "--bundle", bundle, "c1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        capture_output=False,
    )
    assert b"File too large" in ended.stderr
    assert (bundle / "config.json").read_text() == CONFIG


@pytest.mark.kernel
@pytest.mark.runtime
def test_a_container_of_runc_is_recorded_through_it(tmp_path) -> None:
    root = make_root(tmp_path / "root")
    with Daemon(config='node = "n"\n') as daemon, Runc(tmp_path / "runc") as runc:
        bundle = make_bundle(tmp_path / "b", root, ["sh", "-c", "echo out; exit 7"])
        words = [f"--traceloop-socket={daemon.hook_socket}", "--root", runc.state, "run", "--bundle", bundle, "wrapped"]
        ended = subprocess.run([SOURCE, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (7, "out\n", "")
        daemon.wait_for_log(lambda line: "frozen n_wrapped " in line)
        shown = daemon.ctl("show", "n_wrapped", "-o", "jsonl").stdout.splitlines()
    writes = [event for event in map(json.loads, shown) if event["syscall"] == "write" and event["comm"] == "sh"]
    assert [write["args"][1]["data"] for write in writes] == ["out\n"]
