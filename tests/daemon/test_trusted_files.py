# SPDX-License-Identifier: Apache-2.0
"""The daemon ignores files that users other than root could have written, and never waits for one."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from descriptors import no_descriptors
from podman_files import in_bolt, in_sqlite

from traceloop_daemon.errors import RegistrationError, UntrustedFile
from traceloop_daemon.naming import podman_db
from traceloop_daemon.naming.names import NAME_MAX, Names, Registration, resolve
from traceloop_daemon.nri.containers import of_container
from traceloop_daemon.registering.oci import ID_MAX, parse
from traceloop_daemon.system import trusted_files
from traceloop_proto import nri_pb2 as pb

ID = "0123456789abcdef" * 4
USER = 1000
TIMEOUT_S = 30
PLANTED = {"Name": "/planted", "Config": {"Labels": {"io.traceloop.record": "false", "io.traceloop.name": "other"}}}


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid():
        pytest.skip("needs root, to give files to others")


def within_time(act: Callable[[], Any]) -> Any:
    """Returns the result of `act`, which must not wait for anyone."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(act()), daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert done, "it waits"
    return done[0]


class Docker:
    """A data root, and a bundle whose root file system lies in it."""

    def __init__(self, path: Path) -> None:
        self.root, self.bundle = path / "home/data", path / "bundle"
        self.directory = self.root / "containers" / ID
        self.config = self.directory / "config.v2.json"
        self.directory.mkdir(parents=True)
        self.bundle.mkdir()
        self.point_to(self.root / "overlay2/LAYER/merged")

    def point_to(self, root: Path) -> None:
        """Sets the bundle's root file system."""
        (self.bundle / "config.json").write_text(json.dumps({"root": {"path": str(root)}}))

    def told(self) -> Registration:
        return within_time(lambda: resolve(ID, {}, str(self.bundle), self.bundle))


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


NOT_KNOWN = Registration(Names(ID[:12]), container_id=ID)


def make_fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:  # a path in unix(7) has at most 107 bytes
        here = os.open(path.parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


@pytest.mark.parametrize("make", [make_fifo, make_socket, Path.mkdir])
def test_what_is_no_regular_file_is_not_waited_for(docker, make, caplog):
    make(docker.config)
    assert docker.told() == NOT_KNOWN
    assert f"{docker.config} is not read" in caplog.text or make is make_socket  # a socket cannot be opened at all


def chown(path: Path) -> None:
    os.chown(path, USER, USER)


def loosen(path: Path) -> None:
    path.chmod(0o664 if path.is_file() else 0o775)


@pytest.mark.parametrize("give", [chown, loosen])
@pytest.mark.parametrize("depth", range(5))
def test_neither_the_file_nor_a_directory_on_the_way_may_be_anothers_to_write(docker, depth, give, caplog):
    docker.config.write_text(json.dumps(PLANTED))
    assert docker.told().names.container == "other"
    give([docker.config, *docker.config.parents][depth])
    assert docker.told() == NOT_KNOWN
    (line,) = caplog.messages
    assert line.startswith(f"{docker.config} is not read: ")
    assert ("uid 1000" in line) == (give is chown)


def test_only_below_a_storage_driver_of_dockers_is_its_data_root(docker):
    docker.config.write_text(json.dumps(PLANTED))
    docker.point_to(docker.root / "somewhere/else/rootfs")
    assert docker.told() == NOT_KNOWN


def test_an_id_is_no_path(docker):
    docker.config.write_text(json.dumps(PLANTED))
    told = resolve(f"../containers/{ID}", {}, str(docker.bundle), docker.root)
    assert told.names == Names(f"../containers/{ID}")


def test_roots_links_are_followed_and_others_are_not(docker, tmp_path):
    docker.config.write_text(json.dumps(PLANTED))
    moved = tmp_path / "disk"
    docker.root.rename(moved)
    docker.root.symlink_to("../disk")
    assert docker.told().names.container == "other"
    docker.root.unlink()
    docker.root.symlink_to(moved)
    assert docker.told().names.container == "other"
    os.chown(docker.root, USER, USER, follow_symlinks=False)
    assert docker.told() == NOT_KNOWN


def test_the_file_itself_may_be_no_link(docker):
    (docker.directory / "real").write_text(json.dumps(PLANTED))
    docker.config.symlink_to("real")
    assert docker.told() == NOT_KNOWN


def test_a_sticky_directory_keeps_what_is_roots_but_holds_no_file(docker):
    docker.config.write_text(json.dumps(PLANTED))
    docker.root.parent.chmod(0o1777)
    assert docker.told().names.container == "other"
    docker.directory.chmod(0o1777)
    assert docker.told() == NOT_KNOWN


def test_links_without_an_end_and_paths_without_an_end(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "loop/file", Path("/a" * 100_000)):
        with pytest.raises(OSError, match=r"Too many levels|name too long"):
            trusted_files.read(path, 10)
    for path in (Path("relative"), Path("/"), tmp_path / ".."):
        with pytest.raises(UntrustedFile, match="not the absolute path of a file"):
            trusted_files.read(path, 10)


def test_no_descriptor_is_left_open(docker, tmp_path):
    docker.config.write_text("{}")
    (tmp_path / "link").symlink_to(docker.root)
    (tmp_path / "loop").symlink_to("loop")
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert trusted_files.read(tmp_path / "link/containers" / ID / "config.v2.json", 2) == b"{}"
    for path in (tmp_path / "loop/file", tmp_path / "link/none", docker.directory, tmp_path / "link"):
        with pytest.raises((OSError, UntrustedFile)):
            trusted_files.read(path, 2)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_is_too_large_is_not_read(docker, caplog):
    docker.config.write_text(json.dumps({"Name": "/" + "n" * (60 << 20)}))
    assert docker.told() == NOT_KNOWN
    assert f"{docker.config} is not read: it has more than {4 << 20} bytes" in caplog.messages


@pytest.mark.parametrize("make", [in_sqlite, in_bolt])
def test_podmans_data_base_is_roots(tmp_path, make, caplog):
    made = make(tmp_path)
    made.close() if make is in_sqlite else None
    assert podman_db.find(tmp_path, ID) is not None
    tmp_path.chmod(0o777)
    assert podman_db.find(tmp_path, ID) is None
    assert "other than root may put files beside it" in caplog.text or "writable by users other" in caplog.text


@pytest.mark.parametrize("name", ["db.sql", "libpod/bolt_state.db"])
def test_no_writer_of_a_data_base_is_waited_for(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path, 0o600)
    assert within_time(lambda: podman_db.find(tmp_path, ID)) is None


# -- names


@pytest.mark.parametrize(("letter", "shown"), [("a", "a"), ("\u00e9", "\u00e9"), ("\ud800", "\\ud800")])
def test_names_are_cut_and_say_so(letter, shown):
    long, cut = letter * 900_000, (shown * NAME_MAX)[: NAME_MAX - 3] + "..."
    names = resolve(ID, {"io.traceloop.name": long}, "").names
    assert names.container == cut
    assert names == Names(cut)  # as the next daemon reads it
    assert Names(long, long, long, long) == Names(cut, cut, cut, cut)
    assert Names("c", image=long).image == (shown * 512)[:509] + "..."


def test_names_that_fit_are_whole():
    name = "n" * NAME_MAX
    names = Names(name, name, name, name)
    assert {names.container, names.pod, names.namespace, names.pod_uid} == {name}


def test_ids_that_are_too_long_are_refused():
    state = {"id": "x" * (ID_MAX + 1), "pid": 1}
    with pytest.raises(RegistrationError, match=r"got an id of 1025 characters, more than 1024"):
        parse(b"start\n" + json.dumps(state).encode())
    with pytest.raises(RegistrationError, match="NRI reported it with an invalid id"):
        of_container(pb.PodSandbox(), pb.Container(id="x" * (ID_MAX + 1), pid=1))


def test_why_a_file_that_is_there_is_not_read_is_told(tmp_path: Path) -> None:
    """A file that is not there, or not whole, is another program's business."""
    told: list[str] = []
    (tmp_path / "config.json").write_text("{")
    assert trusted_files.read_json(tmp_path / "none.json", told.append) is None
    assert trusted_files.read_json(tmp_path / "config.json", told.append) is None
    assert told == []
    with no_descriptors():
        assert trusted_files.read_json(tmp_path / "config.json", told.append) is None
    assert told == [f"{tmp_path}/config.json is not read: Too many open files"]
