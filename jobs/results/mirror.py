"""Outputs in an object store that are written: work is done in a copy here, and what is finished is put there.

A part goes before its commit record, which is the point of truth there as here: what a killed scan leaves of an upload
counts for nothing. run.json goes last. Parts that workers have put there themselves come here when they are read.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from mirsweep.jobs.results.claims import Claim
from mirsweep.jobs.results.copies import Copy, Signature, is_part, place_of
from mirsweep.jobs.results.layout import CANDIDATES, CLAIMS, DECOYS, HEARTBEAT, RUN, SHARDS, TEMPORARY_SUFFIX
from mirsweep.jobs.results.locks import lock_file
from mirsweep.jobs.results.object_store import Listed, ObjectStore
from mirsweep.jobs.results.records import part_of, read_records
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.remote import file_name

__all__ = ["Mirror"]

_CLAIM = "claim"
_PLACES = ("", f"{DECOYS}/")
"""Scans in an output."""


class Mirror(Copy):
    """An output in an object store, and its copy here, to work in.

    Parameters
    ----------
    address
        Of the output, as ``s3://bucket/folder``.

    Attributes
    ----------
    folder
        The copy, in the cache; one process works with it at a time.

    Raises
    ------
    InputError
        If the store cannot be reached, or another process of this machine works with the same output.
    """

    def __init__(self, address: str):
        store = ObjectStore(address)
        place = place_of(store)
        self._lock = _hold(store, place)
        super().__init__(store, place / file_name(store.address))
        self._beats: dict[str, Signature | None] = {}
        try:
            self._claim = Claim(store, former=_former(place), beside=self._tell_beats)
            (place / _CLAIM).write_text(self._claim.token)
        except BaseException:
            self.forget()
            self._lock.close()
            raise

    @property
    def address(self) -> str:
        """Of the output."""
        return self.store.address

    @property
    def claim_token(self) -> str:
        """By which others see that this process works with the output."""
        return self._claim.token

    def name_of(self, folder: Path) -> str:
        """What the names of all that a folder of the copy holds begin with in the store; nothing for the copy."""
        return "" if folder == self.folder else f"{folder.relative_to(self.folder).as_posix()}/"

    def know(self, path: Path, n_bytes: int) -> None:
        """A file, as its path in the copy would be, was put into the store by others; it comes when it is read."""
        self.listed[path.relative_to(self.folder).as_posix()] = Listed(n_bytes, 0)

    def close(self) -> None:
        """Let other processes have the output, and the copy."""
        self.forget()
        try:
            with suppress(InputError):
                self._tell_beats()
            self._claim.close()
        finally:
            self._lock.close()

    def pull(self, *, parts: bool = True) -> None:
        """Make the copy what is in the store.

        Parameters
        ----------
        parts
            Part files that commit records name, too; those here stay that have the right size: records tell their
            digests. Without, they are brought when they are read.
        """
        listed = self.store.listed()
        self.listed = {name: each for name, each in listed.items() if not _is_passing(name)}
        self._beats |= dict.fromkeys(name for name in listed if name.endswith(HEARTBEAT))
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._here.clear()
        for name, path in self._files().items():
            told = self.listed.get(name)
            if told is not None and is_part(name) and _is_same(path, told, by_size=parts):
                self._here[name] = Signature.of(path)
            else:
                path.unlink()
        self.make_folders()
        self.fetch(name for name in self.listed if not is_part(name))
        if parts:
            self.fetch(self._committed())

    def push(self, paths: Iterable[Path]) -> None:
        """Put files into the store, one after the other."""
        self._claim.check()
        for path in paths:
            name = path.relative_to(self.folder).as_posix()
            signature = Signature.of(path)
            self.store.put(name, path.read_bytes())
            self._here[name] = signature

    def withdraw(self) -> None:
        """Remove run.json from the store, without which the output there is not complete."""
        self._claim.check()
        self.store.remove(RUN)
        self._here.pop(RUN, None)

    def settle(self) -> None:
        """Make sure that all parts are in the store, and remove there what was never committed.

        Raises
        ------
        InputError
            If one is not there.
        """
        self._claim.check()
        there, told = self.store.listed(), self._committed()
        lost = [name for name, size in told.items() if name not in self._here and _size(there.get(name)) != size]
        if lost:
            raise InputError(
                f"{self.address}/{lost[0]}: is gone from the store, or is not whole: run the same command again, which "
                "makes it anew."
            )
        folders = tuple(f"{place}{CANDIDATES}/part-" for place in _PLACES)
        for name in there.keys() - told.keys():
            if name.startswith(folders) and not (self.folder / name).exists():
                self.store.remove(name)
                self.listed.pop(name, None)

    def _committed(self) -> dict[str, int]:
        """By name the sizes of the parts that commit records tell of, those of decoys too."""
        found = {}
        for place in _PLACES:
            for record in read_records(self.folder / place).by_shard.values():
                if (part := part_of(record)) is not None:
                    found[f"{place}{CANDIDATES}/{part}"] = record["part"]["bytes"]
        return found

    def finish(self) -> None:
        """Make the store what the copy is, run.json last."""
        here = self._files()
        changed = [name for name, path in here.items() if self._here.get(name) != Signature.of(path)]
        gone = self._here.keys() - here.keys()
        others = [name for name in changed if name != RUN]
        if RUN in self._here and (others or gone):
            self.withdraw()
        self.push(here[name] for name in others)
        for name in gone - {RUN}:
            self.store.remove(name)
            del self._here[name]
        if RUN in here and self._here.get(RUN) != Signature.of(here[RUN]):
            self.push([here[RUN]])

    def _tell_beats(self) -> None:
        """Put the signs of life of the scan, and remove those that are no more."""
        for name in (HEARTBEAT, f"{DECOYS}/{HEARTBEAT}"):
            try:
                signature, content = Signature.of(self.folder / name), (self.folder / name).read_bytes()
            except OSError:
                if name in self._beats:
                    self.store.remove(name)
                    del self._beats[name]
                continue
            if self._beats.get(name) != signature:
                self.store.put(name, content)
                self._beats[name] = signature

    def _files(self) -> dict[str, Path]:
        """By name the files of the copy that belong to the output."""
        found = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        return {name: path for name, path in sorted(found.items()) if not _is_passing(name)}


def _hold(store: ObjectStore, place: Path) -> TextIO:
    try:
        return lock_file(place / "lock")
    except BlockingIOError:
        raise InputError(f"{store.address}: another mirsweep works there: wait for it, or choose another.") from None


def _former(place: Path) -> str | None:
    """The claim that was last made from this place: its process is gone, since this one has the lock."""
    try:
        lock_file(place / "lock").close()
    except BlockingIOError:
        with suppress(OSError):
            return (place / _CLAIM).read_text()
    return None  # a file system without locks


def _is_same(path: Path, told: Listed, *, by_size: bool) -> bool:
    found = path.stat()
    return found.st_size == told.size and (by_size or found.st_mtime_ns == told.modified_ns)


def _size(told: Listed | None) -> int | None:
    return None if told is None else told.size


def _is_passing(name: str) -> bool:
    """Whether a file belongs to a running process, not to the output."""
    is_sign = name.endswith((f"{SHARDS}/lock", HEARTBEAT)) or name.startswith(f"{CLAIMS}/")
    return is_sign or name.rsplit("/", 1)[-1].endswith(TEMPORARY_SUFFIX)
