"""Locks of shares. Two that open the same file conflict, in one process as in two."""

import contextlib
import errno
import itertools
import os
import threading
import time

import pytest

from sf3d_jax.making.running import locks
from sf3d_jax.making.running.locks import FOLDER, BusyError, hold, hold_share


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(locks, "_GLANCE", 0.0)


def overlaps(first, second):
    """Whether two shares have a subject in common, by listing their subjects."""
    subjects = [{*range(index, 60, count)} for index, count in (first, second)]
    return bool(subjects[0] & subjects[1])


def test_two_processes_with_a_subject_in_common_are_refused_and_no_others(tmp_path):
    shares = [(index, count) for count in (1, 2, 3, 4) for index in range(count)]
    for first, second in itertools.product(shares, shares):
        with hold_share(tmp_path, *first):
            if overlaps(first, second):
                with pytest.raises(BusyError), hold_share(tmp_path, *second):
                    pass
            else:
                with hold_share(tmp_path, *second):
                    assert len([*(tmp_path / FOLDER).iterdir()]) == 2
        assert not [*tmp_path.iterdir()]


def test_the_refused_one_is_told_who_holds_what(tmp_path):
    with hold_share(tmp_path, 1, 4):
        with pytest.raises(BusyError) as stopped, hold_share(tmp_path, 1, 2):
            pass
    said = str(stopped.value)
    assert said.startswith(f"process: another process, number {os.getpid()} on ")
    assert f"is making share 1/4 of {tmp_path}; wait until" in said


def test_what_dead_processes_left_is_removed_at_the_beginning_and_at_the_end(tmp_path):
    (tmp_path / FOLDER).mkdir()
    for name in ("process-0-of-1", "process-1-of-3", "subject-004", "options"):
        (tmp_path / FOLDER / name).write_text("host 123\n")
    with hold_share(tmp_path, 0, 2):
        assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["process-0-of-2"]
        (tmp_path / FOLDER / "subject-002").touch()  # as of a worker that was killed
    assert not [*tmp_path.iterdir()]


def test_an_error_releases_the_lock_and_is_passed_on(tmp_path):
    for error in (KeyboardInterrupt(), BusyError("another lock"), ValueError("no")):
        with pytest.raises(type(error)) as stopped, hold_share(tmp_path, 0, 1):
            raise error
        assert stopped.value is error
        assert not [*tmp_path.iterdir()]


def test_a_lock_is_waited_for(tmp_path):
    path = tmp_path / FOLDER / "one"
    taken, free = threading.Event(), threading.Event()

    def keep():
        with hold(path, patience=0):
            taken.set()
            free.wait(10)

    thread = threading.Thread(target=keep)
    thread.start()
    assert taken.wait(10)
    start = time.monotonic()
    with pytest.raises(BusyError), hold(path, patience=0.2):
        pass
    assert time.monotonic() - start >= 0.2
    free.set()
    with hold(path, patience=10):
        thread.join()
    assert not path.exists()


def test_a_lock_holds_one_at_a_time_while_its_file_comes_and_goes(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(12):
            with hold(tmp_path / FOLDER / "one", patience=30):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0)
                inside.pop()
            with contextlib.suppress(OSError):
                (tmp_path / FOLDER).rmdir()

    pause, locks._PAUSE = locks._PAUSE, 0.0005
    try:
        threads = [threading.Thread(target=work) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    finally:
        locks._PAUSE = pause
    assert len(most) == 36 and {*most} == {1}


def test_a_file_that_goes_before_it_is_locked_is_opened_again(tmp_path, monkeypatch):
    path, lock, seen = tmp_path / FOLDER / "one", locks._lock, []

    def lock_late(file):
        seen.append(file)
        if len(seen) == 1:
            path.unlink()  # as its holder does at the end, and another process makes it anew
            path.touch()
        return lock(file)

    monkeypatch.setattr(locks, "_lock", lock_late)
    with hold(path, patience=0):
        assert path.exists() and len(seen) == 2
        with pytest.raises(BusyError), hold(path, patience=0):
            pass


def test_without_locks_of_the_file_system_it_goes_on_with_a_warning(tmp_path, monkeypatch):
    import fcntl

    def refuse(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="this file system has no locks"):
        with hold_share(tmp_path, 0, 1):
            pass
    assert not [*tmp_path.iterdir()]


def test_a_file_in_place_of_the_folder_of_locks_is_an_error(tmp_path):
    (tmp_path / FOLDER).touch()
    with pytest.raises(FileExistsError), hold_share(tmp_path, 0, 1):
        pass
    with pytest.raises(FileNotFoundError), hold(tmp_path / "none" / FOLDER / "a", patience=0):
        pass
