"""Files written whole or not at all, and locks that a killed process gives up."""

import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

try:
    import fcntl
except ImportError:  # Windows: there are no locks
    fcntl = None  # type: ignore[assignment]


@contextmanager
def written_atomically(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write. It gets its name when all of it is on the disk; if that fails, it is removed.

    It keeps the permissions of the file that it replaces. Of a symbolic link the target is replaced. What a killed
    process has left of a file of this name is removed.

    Raises
    ------
    OSError
        If it cannot be written, with its name: the disk may be full.
    ValueError
        If something else than a file has this name.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ValueError(f"{os.fspath(path)!r} is a folder or a device. Give the name of a file.")
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    try:
        remove_remains(target)
        with _new_file(temporary) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if target.exists():
                os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
            if fcntl is not None:  # renamed while it is locked, so that nobody takes it for what a kill has left
                os.replace(temporary, target)
        if fcntl is None:
            os.replace(temporary, target)
    except OSError as error:
        if error.errno:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise OSError(f"{os.fspath(path)}: cannot be written, as on a full disk ({error})") from error  # numpy, torch
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that this process has the lock of; until then another may take it for remains and remove it."""
    while True:
        with open(path, "wb") as file, lock_of_file(file):
            if _is_at(file, path):
                yield file
                return


def _is_at(file: IO, path: Path) -> bool:
    """Whether an open file still has this name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def remove_remains(path: Path) -> None:
    """Remove what killed processes have left of a file. Nobody has a lock on that."""
    if fcntl is None or not path.parent.is_dir():
        return
    name = re.compile(re.escape(path.name) + r"\.[0-9a-f]{32}\.part")
    for remains in path.parent.iterdir():
        if name.fullmatch(remains.name):
            with suppress(OSError), open(remains, "rb") as file, lock_of_file(file, wait=False):
                if _is_at(file, remains):  # else another has removed it, and its writer has begun anew
                    remains.unlink()


@contextmanager
def lock_of_file(file: IO, *, wait: bool = True, shared: bool = False) -> Iterator[None]:
    """Context in which this process has the lock of an open file; several may have a `shared` one.

    Raises
    ------
    BlockingIOError
        If another has it, and this one does not wait.
    """
    if fcntl is not None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)  # given up when the file is closed, also by a kill
    yield


@contextmanager
def locked(path: Path, what: str, *, wait: bool = False, shared: bool = False) -> Iterator[None]:
    """Context in which this run alone has the lock file `path`, or those that share it. It is removed at the end.

    Raises
    ------
    BlockingIOError
        If another run has it, and this one does not wait; `what` is for the message.
    """
    with ExitStack() as stack:
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(path, "ab"))
            try:
                stack.enter_context(lock_of_file(file, wait=wait, shared=shared))
            except BlockingIOError as error:
                raise BlockingIOError(f"{what} is in use by another run. Wait for its end, or name another.") from error
            if _is_at(file, path):
                break  # else whoever had it before has removed it
        try:
            yield
        finally:
            if not shared:
                path.unlink(missing_ok=True)
