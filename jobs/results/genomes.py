"""The genomes of a scan, found again and compared with what was scanned."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirsweep.jobs.results.layout import RUN
from mirsweep.scanner.containers import is_stream
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome, open_genome
from mirsweep.scanner.remote import is_address

__all__ = ["open_scanned_genomes"]


def open_scanned_genomes(
    described: Sequence[Mapping[str, Any]], moved: Sequence[str | os.PathLike] = (), *, option: str = ""
) -> list[Genome]:
    """The genomes that run.json describes, if they are still there and the same.

    Parameters
    ----------
    described
        Name, file and digest of each.
    moved
        Where they are now, in the same order; by default where they were.
    option
        The option that names another place, for messages.

    Raises
    ------
    InputError
        If one came from a pipe, is gone or has changed, or the number of places differs.
    """
    if moved and len(moved) != len(described):
        raise InputError(f"the scan has {len(described)} genomes: give {option} as many times, in its order.")
    places = moved or [each["file"] for each in described]
    return [_same(each, place, option) for each, place in zip(described, places, strict=True)]


def _same(described: Mapping[str, Any], place: str | os.PathLike, option: str) -> Genome:
    if not is_address(place) and is_stream(Path(place)):
        remedy = f"give a file of it with {option}" if option else "scan a file of it instead"
        raise InputError(f"genome {described['name']} was read from a pipe, and cannot be read again: {remedy}.")
    genome = open_genome(place, name=described["name"])
    if genome.digest != described["digest"]:
        genome.close()
        elsewhere = f", name it with {option}" if option else ""
        raise InputError(
            f"{place}: has changed since the scan ({RUN} has its digest): put the former one back{elsewhere}, or scan "
            "again."
        )
    return genome
