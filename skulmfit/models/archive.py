"""Archives: one .npz file of arrays and JSON, no pickles inside, with a kind and a version, written atomically."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def write_archive(
    path: str | os.PathLike, kind: str, version: int, meta: dict[str, Any], arrays: dict[str, np.ndarray],
    *, compress: bool = False,
) -> None:  # fmt: skip
    """Write a file that `read_archive` reads. A file of that name is replaced at the end, or not at all."""
    meta = {"kind": kind, "format": version} | meta
    with written_atomically(path) as file:
        write = np.savez_compressed if compress else np.savez
        write(file, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)  # type: ignore[arg-type]


def read_archive(path: str | os.PathLike, kind: str, newest: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """JSON and arrays of a file of a kind, in a format up to the `newest` that is known here.

    Raises
    ------
    ValueError
        If the file is of another kind, is damaged, or was written by a newer version.
    """
    _check_is_archive(path, kind)
    with damage_reported(path, kind), open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        found, version = meta["kind"], int(meta["format"])
    if found != kind:
        raise ValueError(f"{os.fspath(path)!r} holds a {found!r}, not a {kind!r}.")
    if version > newest:
        raise ValueError(
            f"{os.fspath(path)!r} has format {version}; this version of skulmfit reads up to {newest}. Upgrade it."
        )
    return meta, arrays


def _check_is_archive(path: str | os.PathLike, kind: str) -> None:
    """Raise unless a file is a zip, as every .npz is."""
    if os.path.isdir(path):
        raise ValueError(f"{os.fspath(path)!r} is a folder, not the file of a {kind}.")
    with open(path, "rb") as stream:
        start = stream.read(4)
    if start != b"PK\3\4":
        raise ValueError(
            f"{os.fspath(path)!r} is not a {kind}, or is damaged: a file that `save` has written is an .npz. Pickles "
            "and joblib files are read by the library that wrote them, if you trust them: joblib.load(path)."
        )


@contextmanager
def written_atomically(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write. It gets its name when all of it is on the disk; if that fails, it is removed.

    Raises
    ------
    OSError
        If it cannot be written, with its name: the disk may be full.
    """
    temporary = Path(path).with_name(f"{Path(path).name}.{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise OSError(f"{os.fspath(path)}: cannot be written, as on a full disk ({error})") from error  # numpy, torch
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def damage_reported(path: str | os.PathLike, kind: str) -> Iterator[None]:
    """Turn every error in reading an open file into one that says that the file is not what it should be."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # whatever it is that the readers of numpy, zip and JSON stumble over
        raise ValueError(f"{os.fspath(path)!r} is not a {kind}, or is damaged: {error}") from error
