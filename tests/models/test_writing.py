"""Files are written whole or not at all, and locks end with who has them."""

import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from skulmfit.models import writing
from skulmfit.models.writing import locked, remove_remains, written_atomically

KILLED_AS_IT_WRITES = """
import os, sys
from skulmfit.models.writing import written_atomically
with written_atomically(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)
"""
HOLDS_A_LOCK = """
import sys, time
from pathlib import Path
from skulmfit.models.writing import locked
with locked(Path(sys.argv[1]), "It"):
    print("locked", flush=True)
    time.sleep(60)
"""


def write(path, content=b"new"):
    with written_atomically(path) as file:
        file.write(content)


def test_the_next_save_removes_what_a_kill_has_left(tmp_path):
    path = tmp_path / "model [1].npz"
    assert subprocess.run([sys.executable, "-c", KILLED_AS_IT_WRITES, path]).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "model [1].npz.notes.part").touch()  # the user's own
    (tmp_path / f"other.npz.{'0' * 32}.part").touch()  # of another name
    write(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "model [1].npz", "model [1].npz.notes.part", f"other.npz.{'0' * 32}.part"
    ]  # fmt: skip


def test_what_another_thread_is_writing_is_no_remains(tmp_path):
    path = tmp_path / "model.npz"
    with written_atomically(path) as file:
        file.write(b"slow")
        write(path, b"fast")
        remove_remains(path)
        assert path.read_bytes() == b"fast"
    assert path.read_bytes() == b"slow"
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_that_was_begun_anew_under_the_same_name_is_no_remains(tmp_path, monkeypatch):
    remains = tmp_path / f"model.npz.{'0' * 32}.part"
    remains.touch()

    @contextmanager
    def lock_that_came_late(file, **options):  # another has removed the file in between, and its writer began anew
        remains.unlink()
        remains.write_bytes(b"new")
        yield

    monkeypatch.setattr(writing, "lock_of_file", lock_that_came_late)
    remove_remains(tmp_path / "model.npz")
    assert remains.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "model.npz"
    path.touch()
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_those_of_the_process(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "model.npz")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.npz").stat().st_mode) == 0o640


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_one(tmp_path, exists):
    target, link = tmp_path / "folder" / "real.npz", tmp_path / "link.npz"
    target.parent.mkdir()
    if exists:
        target.touch()
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_replaced(tmp_path, kind):
    path = tmp_path / "thing"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(ValueError, match=r"thing' is a folder or a device. Give the name of a file"):
        write(path)
    assert not path.is_file()


def test_a_lock_is_refused_at_once_while_another_run_has_it(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDS_A_LOCK, tmp_path / "lock"], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(BlockingIOError, match=r"The folder is in use by another run. Wait for its end, or name"):
            with locked(tmp_path / "lock", "The folder"):
                pass
        other.kill()
    with locked(tmp_path / "lock", "The folder"):  # a killed run gives it up
        pass
    assert not (tmp_path / "lock").exists()


def test_a_thread_of_the_same_process_is_another_run(tmp_path):
    with locked(tmp_path / "lock", "It"), pytest.raises(BlockingIOError), locked(tmp_path / "lock", "It"):
        pass


def test_several_may_share_a_lock_and_none_may_have_it_alone_meanwhile(tmp_path):
    with locked(tmp_path / "lock", "It", shared=True), locked(tmp_path / "lock", "It", shared=True):
        with pytest.raises(BlockingIOError), locked(tmp_path / "lock", "It"):
            pass


def test_who_waits_for_a_lock_gets_it_however_often_it_is_removed(tmp_path):
    counts = {"inside": 0, "most": 0}

    def work():
        for _ in range(100):
            with locked(tmp_path / "lock", "It", wait=True):
                counts["inside"] += 1
                counts["most"] = max(counts["most"], counts["inside"])
                counts["inside"] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert counts == {"inside": 0, "most": 1}


def test_threads_that_write_one_file_do_not_take_each_others_parts_for_remains(tmp_path):
    errors = []

    def work():
        try:
            for _ in range(50):
                with written_atomically(tmp_path / "file") as file:
                    file.write(b"whole")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"whole"
