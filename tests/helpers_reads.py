"""Small-RNA libraries made for tests: BAM files of reads whose places are given, or found by exact matching."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pysam

COMPLEMENT = str.maketrans("ACGT", "TGCA")


class Read(NamedTuple):
    """Some equal reads at one place (0-based), of ``n_places``."""

    contig: str
    start: int
    bases: str
    is_reverse: bool = False
    n: int = 1
    n_places: int | None = 1
    name: str | None = None
    flag: int = 0


def reverse_complement(bases: str) -> str:
    return bases.upper().translate(COMPLEMENT)[::-1]


def write_bam(path: Path, contigs: Mapping[str, int], reads: Iterable[Read], *, collapsed: bool = True, **how) -> Path:
    """A sorted, indexed BAM; ``order`` and ``index`` of ``how`` make one that is not."""
    order, names = how.get("order", "coordinate"), list(contigs)
    header = {"HD": {"VN": "1.6", "SO": order}, "SQ": [{"SN": name, "LN": n} for name, n in contigs.items()]}
    header |= how.get("header", {})
    listed = list(reads) if order != "coordinate" else sorted(reads, key=lambda r: (names.index(r.contig), r.start))
    with pysam.AlignmentFile(str(path), how.get("mode", "wb"), header=header, **how.get("options", {})) as file:
        for number, read in enumerate(listed):
            for copy in range(1 if collapsed else read.n):
                file.write(_segment(read, f"seq_{number}_x{read.n}" if collapsed else f"r{number}.{copy}", names))
    if order == "coordinate" and how.get("index", True):
        pysam.index(str(path))
    return path


def _segment(read: Read, name: str, names: list[str]) -> pysam.AlignedSegment:
    segment = pysam.AlignedSegment()
    segment.query_name = read.name or name
    segment.query_sequence = reverse_complement(read.bases) if read.is_reverse else read.bases.upper()
    segment.flag = read.flag | (16 if read.is_reverse else 0)
    segment.reference_id, segment.reference_start, segment.mapping_quality = names.index(read.contig), read.start, 255
    segment.cigarstring = f"{len(read.bases)}M"
    if read.n_places is not None:
        segment.set_tag("NH", read.n_places)
    return segment


def map_exactly(collapsed: Path, contigs: Mapping[str, str]) -> list[Read]:
    """Every place without a mismatch of the collapsed reads (``>seq_1_x123``) of a FASTA."""
    strands = {name: (bases.upper(), reverse_complement(bases)) for name, bases in contigs.items()}
    found: list[Read] = []
    lines = collapsed.read_text().split()
    for name, bases in zip(lines[::2], lines[1::2], strict=True):
        places = [
            (contig, is_reverse, at)
            for contig, both in strands.items()
            for is_reverse, text in enumerate(both)
            for at in _places(text, bases)
        ]
        for contig, is_reverse, at in places:
            start = len(strands[contig][0]) - at - len(bases) if is_reverse else at
            found.append(
                Read(contig, start, bases, bool(is_reverse), int(name.rpartition("_x")[2]), len(places), name[1:])
            )
    return found


def _places(text: str, bases: str) -> Iterable[int]:
    at = text.find(bases)
    while at >= 0:
        yield at
        at = text.find(bases, at + 1)
