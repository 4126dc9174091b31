"""Copies of outputs in object stores: the small files at once, part files of candidates when they are read.

Whatever reads an output reads a folder. Of an output in a store that is a copy, which this process knows of: who opens
part files asks :func:`bring` for them first.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from mirsweep.cache import UnsafeFolderError, cache_root, kept_folder
from mirsweep.jobs.results.layout import CANDIDATES, CLAIMS, HEARTBEAT
from mirsweep.jobs.results.locks import lock_file
from mirsweep.jobs.results.messages import call
from mirsweep.jobs.results.object_store import Listed, ObjectStore, each_of
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.remote import file_name

__all__ = [
    "Copy",
    "Signature",
    "bring",
    "bring_all",
    "copy_at",
    "is_copy",
    "is_part",
    "place_of",
    "sizes_elsewhere",
    "snapshot",
]

_FOLDER, _READING, _KEPT = "outputs", "read-", "parts"


class Signature(NamedTuple):
    """What tells a file from what it was: size, time, and inode."""

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Signature":
        """That of a file."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class Copy:
    """The copy of an output in an object store.

    Attributes
    ----------
    store
        Where the output is.
    folder
        Where the copy is.
    listed
        By name, relative to the output, what was there when it was listed.
    """

    def __init__(self, store: ObjectStore, folder: Path):
        self.store, self.folder = store, folder
        self.listed: dict[str, Listed] = {}
        self._here: dict[str, Signature] = {}
        _COPIES[folder] = self
        call(str(folder), store.address)

    def forget(self) -> None:
        """The folder is an ordinary one from now on."""
        _COPIES.pop(self.folder, None)

    @property
    def absent(self) -> dict[str, Listed]:
        """What is in the store and not here."""
        return {name: each for name, each in self.listed.items() if name not in self._here}

    def make_folders(self) -> None:
        """Make the folders of all that was listed, empty as they may be."""
        for place in {(self.folder / name).parent for name in self.listed}:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)

    def fetch(self, names: Iterable[str]) -> None:
        """Copy what is not here yet."""
        absent = self.absent
        each_of(self._fetch, [name for name in dict.fromkeys(names) if name in absent])

    def fetch_anew(self) -> None:
        """Copy everything, as it is in the store now, however much is here."""
        self._here.clear()
        self.fetch(self.listed)

    def _fetch(self, name: str) -> None:
        try:
            self._copy(name, self.folder / name)
        except FileNotFoundError as error:
            raise InputError(
                f"{self.store.address}/{name}: was removed while it was read: give the command again."
            ) from error
        self._here[name] = Signature.of(self.folder / name)

    def _copy(self, name: str, path: Path) -> None:
        self.store.download(name, path, self.listed[name].modified_ns)


_COPIES: dict[Path, Copy] = {}
"""By folder those of this process."""


def copy_at(path: Path) -> Copy | None:
    """The copy that this process has at a folder, or around it."""
    return next((_COPIES[folder] for folder in (path, *path.parents) if folder in _COPIES), None)


def bring(paths: Iterable[str | os.PathLike]) -> None:
    """Make sure that files of outputs are here, if they are those of copies."""
    if not _COPIES:
        return
    wanted: dict[Path, list[str]] = {}
    for path in map(Path, paths):
        copy = copy_at(path)
        if copy is not None:
            wanted.setdefault(copy.folder, []).append(path.relative_to(copy.folder).as_posix())
    for folder, names in wanted.items():
        _COPIES[folder].fetch(names)


def bring_all(folder: Path) -> None:
    """Bring all files of an output, if it is a copy: as they are in the store, none from the cache."""
    copy = _COPIES.get(folder)
    if copy is not None:
        copy.fetch_anew()


def sizes_elsewhere(folder: Path) -> dict[str, int]:
    """By name the sizes of files that a folder of an output has in the store, and not here yet."""
    copy = copy_at(folder)
    if copy is None:
        return {}
    within = "" if folder == copy.folder else folder.relative_to(copy.folder).as_posix() + "/"
    names = {name.removeprefix(within): each.size for name, each in copy.absent.items() if name.startswith(within)}
    return {name: size for name, size in names.items() if "/" not in name}


def place_of(store: ObjectStore) -> Path:
    """The folder of the cache for all copies of an output.

    Raises
    ------
    InputError
        If there is no cache.
    """
    try:
        place = kept_folder(_FOLDER) / hashlib.sha256(store.address.encode()).hexdigest()[:24]
    except UnsafeFolderError as error:
        raise InputError(f"{store.address}: there is no cache to work in: {error}") from error
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def is_copy(output: Path) -> bool:
    """Whether a folder is the copy of an output in an object store."""
    root = cache_root()
    return root is not None and root / _FOLDER in output.absolute().parents


def is_part(name: str) -> bool:
    """Whether a file of an output holds candidates, of the decoys too, as this version of mirsweep writes them."""
    return f"{CANDIDATES}/part-" in name


class _Snapshot(Copy):
    """A copy to read, of one moment, in a folder of its own that ends with this process.

    Part files are kept in the cache as long as they are in the store, and read from there again.
    """

    def __init__(self, store: ObjectStore, listed: dict[str, Listed]):
        place = place_of(store)
        _remove_abandoned(place)
        private = Path(tempfile.mkdtemp(prefix=_READING, dir=place))
        self._lock = lock_file(private / "lock")
        atexit.register(_end, private, self._lock)
        super().__init__(store, private / file_name(store.address))
        self.folder.mkdir(mode=0o700)
        self.listed, self._kept = listed, place / _KEPT
        self._kept.mkdir(mode=0o700, exist_ok=True)
        for path in {path.name for path in self._kept.iterdir()} - {
            self._key(name) for name in listed if is_part(name)
        }:
            (self._kept / path).unlink(missing_ok=True)
        self.make_folders()
        self.fetch(name for name in listed if not is_part(name))

    def _key(self, name: str) -> str:
        return hashlib.sha256(f"{name}\0{tuple(self.listed[name])}".encode()).hexdigest()[:32]

    def fetch_anew(self) -> None:
        """Copy everything, and part files not from the cache."""
        for path in self._kept.iterdir():
            path.unlink(missing_ok=True)
        super().fetch_anew()

    def _copy(self, name: str, path: Path) -> None:
        if not is_part(name):
            super()._copy(name, path)
            return
        path.unlink(missing_ok=True)
        kept = self._kept / self._key(name)
        with suppress(OSError):  # it is not there, another process has just removed it, or there are no links
            os.link(kept, path)
            return
        super()._copy(name, path)
        with suppress(OSError):
            os.link(path, kept)


def _end(private: Path, lock: TextIO) -> None:
    shutil.rmtree(private, ignore_errors=True)
    lock.close()


def _remove_abandoned(place: Path) -> None:
    """Remove copies whose process was killed: their locks are free."""
    for lock in place.glob(f"{_READING}*/lock"):
        with suppress(OSError):
            lock_file(lock).close()
            shutil.rmtree(lock.parent, ignore_errors=True)


_SNAPSHOTS: dict[str, _Snapshot] = {}


def snapshot(address: str) -> Path:
    """A copy to read of an output, as it is now, but for its part files, which :func:`bring` brings.

    Raises
    ------
    InputError
        If the store cannot be read, or there is nothing at the address.
    """
    store = ObjectStore(address)
    listed = dict(_of_output(store.listed()))
    if not listed:
        raise InputError(f"{store.address}: there is nothing; give the -o address of a mirsweep scan.")
    known = _SNAPSHOTS.get(store.address)
    if known is None or known.listed != listed or not known.folder.is_dir():
        known = _SNAPSHOTS[store.address] = _Snapshot(store, listed)
    return known.folder


def _of_output(listed: dict[str, Listed]) -> Iterator[tuple[str, Listed]]:
    return (
        (name, each)
        for name, each in listed.items()
        if not name.startswith(f"{CLAIMS}/") and not name.endswith(HEARTBEAT)
    )
