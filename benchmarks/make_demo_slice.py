"""Cut the demo's slice of a real chromosome: the window that holds the most known loci, with these as GFF3.

    python benchmarks/make_demo_slice.py ../shared/data/genomes/cel_ce2_chrX.fa.gz \
        --known mirgenedb=../shared/data/genomes/cel_ce2_chrX.mirgenedb.gff3 \
        --known mirbase=../shared/data/genomes/cel_ce2_chrX.mirbase_v22.gff3

The chromosome is that of Debian's package r-bioc-bsgenome (C. elegans, ce2). The first set decides on the window, the
others break ties. Soft-masking is kept.
"""

import argparse
import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.jobs.results.known import Locus, read_known
from mirsweep.scanner.fasta import open_genome

FOLDER = Path(__file__).resolve().parents[1] / "jobs" / "demo" / "data"
WIDTH_NT = 1_800_000
"""Holds 13 MirGeneDB loci, as many as 2 Mb; 1.5 Mb holds 12, 1 Mb 10."""
GRID_NT = 1_000
MARGIN_NT = 500
LINE_NT = 80


class Window(NamedTuple):
    """Interval of a contig, 0-based half-open."""

    contig: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """Contig name of the slice."""
        return f"{self.contig}_{self.start}_{self.end}"

    def holds(self, locus: Locus) -> bool:
        """Whether a locus lies inside, not too close to the ends."""
        inside = self.start + MARGIN_NT <= locus.start and locus.end <= self.end - MARGIN_NT
        return locus.contig == self.contig and inside


def best_window(contig: str, length: int, sets: list[list[Locus]]) -> Window:
    """The leftmost window on the grid with most loci of the first set, then of the next."""
    starts = np.arange(0, max(length - WIDTH_NT, 0) + 1, GRID_NT)
    counts = []
    for loci in sets:
        first = np.array([locus.start for locus in loci if locus.contig == contig])[:, None]
        last = np.array([locus.end for locus in loci if locus.contig == contig])[:, None]
        inside = (first >= starts + MARGIN_NT) & (last <= starts + WIDTH_NT - MARGIN_NT)
        counts.append(inside.sum(axis=0))
    start = int(starts[np.lexsort((starts, *(-count for count in reversed(counts))))[0]])
    return Window(contig, start, min(start + WIDTH_NT, length))


def fasta(name: str, bases: bytes) -> bytes:
    """One record, in lines."""
    lines = [bases[i : i + LINE_NT] for i in range(0, len(bases), LINE_NT)]
    return b"\n".join([f">{name}".encode(), *lines]) + b"\n"


def gff3(window: Window, loci: list[Locus], source: str) -> str:
    """The loci in coordinates of the slice."""
    lines = ["##gff-version 3", f"##sequence-region {window.name} 1 {window.end - window.start}"]
    for locus in loci:
        place = (locus.start - window.start + 1, locus.end - window.start, ".", locus.strand, ".")
        fields = (window.name, source, "miRNA_primary_transcript", *place, f"ID={locus.name};Name={locus.name}")
        lines.append("\t".join(map(str, fields)))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome", type=Path)
    parser.add_argument("--known", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    genome = open_genome(arguments.genome)
    known = {name: read_known(path) for name, _, path in (item.partition("=") for item in arguments.known)}
    contig = genome.contigs[0]
    window = best_window(contig.name, contig.length, list(known.values()))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    content = fasta(window.name, genome.fetch(contig.name, window.start, window.end))
    (arguments.folder / "slice.fa.gz").write_bytes(gzip.compress(content, mtime=0))
    for name, loci in known.items():
        inside = [locus for locus in loci if window.holds(locus)]
        (arguments.folder / f"{name}.gff3").write_text(gff3(window, inside, name))
        print(f"{window.name}: {len(inside)} loci of {name}")


if __name__ == "__main__":
    main()
