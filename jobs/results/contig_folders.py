"""Outputs of the first layout, with a folder ``contig=NAME`` for each contig: they are read, not written."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mirsweep.jobs.results.layout import CANDIDATES, part_path

__all__ = ["contig_folder", "has_contig_folders", "old_part_path", "old_parts"]

_LONGEST_NAME = 200
"""Folder names may have 255 bytes on common file systems; some is left for "contig=" and the digest."""


def contig_folder(contig: str) -> str:
    """Name of a contig's folder: percent-encoded, so that a FASTA header never chooses a path; long names are cut.

    >>> contig_folder("../x|1")
    'contig=..%2Fx%7C1'
    """
    name = quote(contig, safe="")
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(contig.encode()).hexdigest()[:16]
        name = re.sub(r"%.?$", "", name[:_LONGEST_NAME]) + "~" + digest
    return f"contig={name}"


def old_part_path(contig: str, shard_id: str) -> Path:
    """Part file of a contig and shard, relative to the output."""
    path = part_path(shard_id)
    return path.parent / contig_folder(contig) / path.name


def has_contig_folders(output: Path) -> bool:
    """Whether an output has the old layout."""
    return any((output / CANDIDATES).glob("contig=*/"))


def old_parts(output: Path, contigs: Sequence[str] | None) -> Iterator[tuple[Path, int | None]]:
    """Part files in the order of the scan, each with the rank of its contig.

    Parameters
    ----------
    contigs
        All contigs of the scan in its order; None if they are not known, and then the ranks aren't either.
    """
    ranks = {contig_folder(contig): rank for rank, contig in enumerate(contigs or ())}
    found = (output / CANDIDATES).glob("contig=*/part-*.parquet")
    for path in sorted(found, key=lambda part: _order(part, ranks)):
        yield path, ranks.get(path.parent.name)


def _order(part: Path, ranks: Mapping[str, int]) -> tuple[int, str, str]:
    """By contig and shard; by shard alone where the contigs' ranks are not known."""
    return ranks.get(part.parent.name, -1), part.name, part.parent.name
