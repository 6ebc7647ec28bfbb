"""Archives: one .npz file of arrays and JSON, no pickles inside, with a kind and a version, written atomically.

Nothing is read before its size is known, and only what is asked for: a small file cannot fill the memory.
"""

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from skulmfit.models.writing import written_atomically

_MAX_META = 1 << 24  # bytes of JSON, which take some 20 times as much as Python objects
_FREE, _MOST_UNPACKED = 1 << 26, 100  # bytes, and how much more than its own size a file may unpack to beside these
_META = "meta"


def write_archive(
    path: str | os.PathLike, kind: str, version: int, meta: dict[str, Any], arrays: dict[str, np.ndarray],
    *, compress: bool = False,
) -> None:  # fmt: skip
    """Write a file that `open_archive` reads. A file of that name is replaced at the end, or not at all.

    Raises
    ------
    ValueError
        If there is more JSON than is read.
    """
    text = json.dumps({"kind": kind, "format": version} | meta).encode()
    if len(text) > _MAX_META:
        raise ValueError(f"{len(text)} bytes of names and labels are too many for a file, which may have {_MAX_META}.")
    with written_atomically(path) as file:
        write = np.savez_compressed if compress else np.savez
        write(file, **{_META: np.frombuffer(text, np.uint8)}, **arrays)  # type: ignore[arg-type]


class Archive:
    """The arrays of an open file. Each is read when it is asked for, once.

    Parameters
    ----------
    file : ZipFile
    size : int
        Of the whole file in bytes.
    """

    def __init__(self, file: zipfile.ZipFile, size: int):
        self._file, self._left = file, _FREE + _MOST_UNPACKED * size
        self._entries = {info.filename.removesuffix(".npy"): info for info in file.infolist()}
        self._read: dict[str, np.ndarray] = {}

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return [name for name in self._entries if name != _META]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array, which is not read for that."""
        return self._header(name)[0]

    def _header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        with self._file.open(self._entries[name]) as stream:
            version = np.lib.format.read_magic(stream)
            readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, _, dtype = readers[version](stream)
        return shape, dtype

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def _load(self, name: str) -> np.ndarray:
        entry, (shape, dtype) = self._entries[name], self._header(name)
        if dtype.hasobject:
            raise ValueError(f"{name}: Object arrays cannot be loaded")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed in another way than `save` does")
        self._left -= entry.file_size
        if math.prod(shape) * dtype.itemsize > entry.file_size or self._left < 0:
            raise ValueError(f"{name} of shape {shape} is larger than a file of this size can hold")
        return np.lib.format.read_array(io.BytesIO(self._file.read(entry)), allow_pickle=False)

    def meta(self) -> dict[str, Any]:
        """The JSON."""
        if _META not in self._entries:
            raise ValueError("no `save` of skulmfit has written it. Read it with the library that did")
        if self._entries[_META].file_size > _MAX_META:
            raise ValueError(f"more than {_MAX_META} bytes of JSON")
        return json.loads(self[_META].tobytes())


@contextmanager
def open_archive(path: str | os.PathLike, kind: str, newest: int) -> Iterator[tuple[dict[str, Any], Archive]]:
    """JSON and arrays of a file of a kind, in a format up to the `newest` that is known here.

    Raises
    ------
    ValueError
        If the file is of another kind, was written by a newer version, or whatever goes wrong inside: it is damaged.
    """
    _check_is_archive(path, kind)
    with open(path, "rb") as stream:
        with _damage_reported(path, kind):
            archive = Archive(zipfile.ZipFile(stream), os.fstat(stream.fileno()).st_size)
            meta = archive.meta()
            found, version = meta["kind"], int(meta["format"])
        if found != kind:
            raise ValueError(f"{os.fspath(path)!r} holds a {found!r}, not a {kind!r}.")
        if version > newest:
            raise ValueError(
                f"{os.fspath(path)!r} has format {version}; this version of skulmfit reads up to {newest}. Upgrade it."
            )
        with _damage_reported(path, kind):
            yield meta, archive


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
def _damage_reported(path: str | os.PathLike, kind: str) -> Iterator[None]:
    """Turn every error in reading an open file into one that says that the file is not what it should be."""
    try:
        yield
    except Exception as error:  # whatever it is that the readers of numpy, zip and JSON stumble over
        raise ValueError(f"{os.fspath(path)!r} is not a {kind}, or is damaged: {error}") from error
