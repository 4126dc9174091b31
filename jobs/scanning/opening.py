"""The genomes that a scan is asked for: named one by one or in a manifest, and opened; a bad one costs itself alone."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mirsweep.jobs.results.known import Line
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.scanning.shards import check_genomes
from mirsweep.scanner.containers import is_stream
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome, open_genome
from mirsweep.scanner.remote import is_address
from mirsweep.scanner.text import open_text

__all__ = [
    "DECOY_GROUPS",
    "Asked",
    "FailedGenome",
    "OpenedGenomes",
    "asked_for",
    "manifest_of",
    "open_genomes",
    "read_manifest",
]

DECOY_GROUPS = ("each", "all")
"""Which genomes share decoys: none, or all."""
_COLUMNS = ("name", "path", "group")
_SPARE_HANDLES = 200
"""Open files beside those of the genomes: parts, sockets, libraries."""


class Asked(NamedTuple):
    """A genome that is asked for: its file, the name of the assembly (the file's stem if None), its decoys' group."""

    path: str | os.PathLike
    name: str | None = None
    group: str | None = None


class FailedGenome(NamedTuple):
    """A genome that could not be read, and why."""

    name: str
    path: str
    group: str | None
    reason: str


class OpenedGenomes(NamedTuple):
    """Genomes that are open, and those that could not be read.

    Attributes
    ----------
    genomes
        In the order in which they were asked for.
    groups
        By name of the genome its decoys' group, where one was asked for.
    failed
        The others.
    """

    genomes: tuple[Genome, ...]
    groups: dict[str, str]
    failed: tuple[FailedGenome, ...] = ()

    def decoy_groups(self, choice: str | None) -> dict[str, str]:
        """By genome the group whose decoys tell its error rates.

        Parameters
        ----------
        choice
            One of ``DECOY_GROUPS``; None for the groups that were asked for, each genome without one by itself.

        Raises
        ------
        InputError
            If it is something else.
        """
        if choice not in (None, *DECOY_GROUPS):
            raise InputError(f"decoy group {choice!r} is unknown: choose {' or '.join(DECOY_GROUPS)}.")
        names = [genome.name for genome in self.genomes]
        if choice is not None:
            return {name: name if choice == "each" else "all" for name in names}
        return {name: self.groups.get(name, name) for name in names}


def asked_for(
    genomes: str | os.PathLike | Iterable[str | os.PathLike],
    name: str | None = None,
    manifest: str | os.PathLike | None = None,
) -> list[Asked]:
    """What a scan is asked for, by arguments or by a manifest.

    Raises
    ------
    InputError
        If there is nothing, both, or a name for several; if a file of the arguments is missing, or the manifest bad.
    """
    paths = [genomes] if isinstance(genomes, str | os.PathLike) else list(genomes)
    if manifest is not None:
        if paths or name is not None:
            raise InputError(f"{manifest}: a manifest names all genomes of a scan: leave out GENOME and --name.")
        return read_manifest(Path(manifest))
    if not paths:
        raise InputError("no genome was given: name at least one FASTA file, or a --manifest.")
    if name is not None and len(paths) > 1:
        raise InputError(f"--name {name!r} can name one genome only: leave it out, or scan the files one by one.")
    if len(paths) > 1:
        for path in paths:  # what was mistyped is told before hours of work
            if not is_address(path) and not is_stream(Path(path)) and not Path(path).exists():
                open_genome(path)
    return [Asked(path, name) for path in paths]


def read_manifest(path: Path) -> list[Asked]:
    """The genomes that a table names: tab-separated name, path and, if wanted, group; the first line may be a header.

    Paths are relative to the table's folder; an address (http, https, ftp, s3, gs) is one as it stands.

    Raises
    ------
    InputError
        If the file cannot be read, names no genome or one twice, or a line is malformed.
    """
    asked: list[Asked] = []
    names: set[str] = set()
    for line in _lines(path):
        fields = [field.strip() for field in line.fields]
        if not asked and tuple(field.lower() for field in fields) in (_COLUMNS[:2], _COLUMNS):
            continue
        if len(fields) not in (2, 3) or not all(fields[:2]):
            raise line.wrong("is no genome: it needs a name, a path and, if wanted, a group, by tabs")
        name, place, *group = fields
        if name in names:
            raise line.wrong(f"names {name!r} again: give each genome a name of its own")
        names.add(name)
        asked.append(
            Asked(place if is_address(place) else path.parent / place, name, group[0] if group and group[0] else None)
        )
    if not asked:
        raise InputError(f"{path}: names no genome: give a line of name and path, by a tab, for each.")
    return asked


def _lines(path: Path) -> Iterator[Line]:
    """Lines of a table, without comments and blank ones."""
    with open_text(path, wanted="a table of genomes") as stream:
        for number, text in enumerate(stream, 1):
            if text.strip() and not text.startswith("#"):
                yield Line(path, number, text.rstrip("\n").split("\t"))


def open_genomes(asked: Sequence[Asked], refget_lengths: Collection[int] = ()) -> OpenedGenomes:
    """Open genomes and read each once; of several a bad one is left out, with a warning.

    Parameters
    ----------
    refget_lengths
        Of contigs whose refget identifiers will be asked for, nt: see :meth:`mirsweep.scanner.fasta.Genome.read_all`.

    Raises
    ------
    InputError
        If none can be read, or two have the same name.
    """
    _allow_handles(len(asked))
    opened, groups, failed = [], {}, []
    for each in asked:
        try:
            genome = _open(each, refget_lengths)
        except InputError as error:
            if len(asked) == 1:
                raise
            failed.append(FailedGenome(each.name or Path(each.path).name, os.fspath(each.path), each.group, str(error)))
            warn(f"left out: {error}")
            continue
        opened.append(genome)
        if each.group is not None:
            groups[genome.name] = each.group
    if not opened:
        raise InputError(f"none of the {len(asked)} genomes can be read.")
    check_genomes(opened)
    return OpenedGenomes(tuple(opened), groups, tuple(failed))


def _open(asked: Asked, refget_lengths: Collection[int]) -> Genome:
    genome = open_genome(asked.path, name=asked.name)
    try:
        genome.read_all(refget_lengths)  # a bad letter is told before the scan begins
    except BaseException:
        genome.close()
        raise
    return genome


def _allow_handles(n: int) -> None:
    """Let this process have so many genomes open; where it may not, opening one too many tells so."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n + _SPARE_HANDLES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def manifest_of(failed: Sequence[FailedGenome]) -> bytes:
    """A manifest of genomes that could not be read, each after a comment that says why."""
    lines = ["\t".join(_COLUMNS)]
    for each in failed:
        lines += [
            f"# {' '.join(each.reason.split())}",
            f"{each.name}\t{each.path if is_address(each.path) else os.path.abspath(each.path)}\t{each.group or ''}",
        ]
    return ("\n".join(lines) + "\n").encode()
