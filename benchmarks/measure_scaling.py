"""How time and memory grow with the size of a genome, longest span, G+C, number of contigs and cores.

    python benchmarks/measure_scaling.py --json       benchmarks/results/scaling.json; eight minutes of one core
    python benchmarks/measure_scaling.py --quick      the same with small pieces, to test the script; a minute

Scans run in processes of their own. Of those in one process, seconds are those of its processor time, and memory is its
largest resident size; kernels are loaded before. Those in worker processes are timed by the clock, for which nothing
else should run on the machine. Pieces of human chr20 are made of stretches at equal distances, so that all are composed
as the whole chromosome is; the longest is the chromosome itself. ``make_scaling_page.py`` then draws the pictures and
writes the tables of docs/scaling.md.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness import ROOT, command_line, find_data, write_result
from scaling_laws import human, laws
from scaling_runs import (
    WARM_UP_NT,
    Letters,
    Scans,
    gc_share,
    random_letters,
    read_letters,
    run_scans,
    spread_piece,
    write_fasta,
)

CHROMOSOMES = ("hsa_GRCh37_chr20", "cel_ce2_chrX", "ath_TAIR10_chr1")
ALONE: Mapping[str, Any] = {"decoys": "none", "report": False}


@dataclass(frozen=True)
class Amounts:
    """What is scanned.

    Attributes
    ----------
    sizes_mb
        Pieces of chr20; all of it where they are larger.
    spans, span_mb
        Longest spans, nt, and the piece that is scanned with each.
    gc, random_mb, real_mb, n_real
        Shares of random sequence, its length, and length and number of each chromosome's slices.
    contigs, contigs_mb
        Into how many contigs a piece is cut.
    cores, cores_mb
        In worker processes, with pieces of two sizes each.
    whole_mb
        The piece of the whole command, with decoys and page.
    """

    sizes_mb: Sequence[float] = (1, 2, 4, 8, 16, 32, 64)
    spans: Sequence[int] = (60, 95, 150, 200, 300, 384)
    span_mb: float = 1
    gc: Sequence[float] = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
    random_mb: float = 0.5
    real_mb: float = 0.5
    n_real: int = 4
    contigs: Sequence[int] = (1, 10, 100, 1_000, 5_000, 20_000)
    contigs_mb: float = 2
    cores: Sequence[int] = (1, 2)
    cores_mb: Sequence[float] = (2, 8)
    whole_mb: float = 4


QUICK = Amounts(
    sizes_mb=(0.25, 0.5),
    spans=(60, 150, 384),
    span_mb=0.1,
    gc=(0.35, 0.5),
    random_mb=0.2,
    real_mb=0.2,
    n_real=1,
    contigs=(1, 1_000),
    contigs_mb=0.2,
    cores=(2,),
    cores_mb=(0.25, 0.5),
    whole_mb=0.25,
)


class Pieces:
    """Files of pieces of chromosomes in a folder.

    Parameters
    ----------
    folder
        Where they are written.
    chromosomes
        The first is the one whose pieces are taken.
    """

    def __init__(self, folder: Path, chromosomes: Sequence[Letters]):
        self.folder, self.chromosomes = folder, chromosomes
        self.warm_up = write_fasta(folder / "warm-up.fa", [self.letters(WARM_UP_NT / 1e6)])

    def letters(self, mb: float) -> bytes:
        """A piece of the first chromosome."""
        return spread_piece(self.chromosomes[0].letters, round(mb * 1e6))

    def piece(self, mb: float, *, n_contigs: int = 1) -> Path:
        """The same as a file, in contigs of one length."""
        letters = self.letters(mb)
        ends = np.linspace(0, len(letters), n_contigs + 1).astype(int).tolist()
        contigs = [letters[start:end] for start, end in pairwise(ends)]
        return write_fasta(self.folder / f"piece-{mb}-{n_contigs}.fa", contigs)

    def run(self, scans: Scans) -> list[dict[str, Any]]:
        """Figures of scans."""
        return list(run_scans(scans, self.warm_up))


def of_sizes(pieces: Pieces, amounts: Amounts) -> list[dict[str, Any]]:
    return [pieces.run(Scans([pieces.piece(mb)], ALONE))[0] for mb in amounts.sizes_mb]


def of_spans(pieces: Pieces, amounts: Amounts) -> list[dict[str, Any]]:
    """The animals' preset with other longest spans, and the plants' as it is."""
    piece = pieces.piece(amounts.span_mb)
    rows = []
    for preset, span in (*(("animal", span) for span in amounts.spans), ("plant", 384)):
        options = ALONE | {"preset": preset, "max_span": span}
        rows.append({"preset": preset, "span": span} | pieces.run(Scans([piece], options))[0])
    return rows


def of_gc(pieces: Pieces, amounts: Amounts) -> dict[str, list[dict[str, Any]]]:
    """Random sequence, and slices of real chromosomes."""
    made = [("random", random_letters(round(amounts.random_mb * 1e6), gc)) for gc in amounts.gc]
    cut = [(each.name, letters) for each in pieces.chromosomes for letters in slices_by_gc(each.letters, amounts)]
    files = [write_fasta(pieces.folder / f"gc-{i}.fa", [letters]) for i, (_, letters) in enumerate(made + cut)]
    found = pieces.run(Scans(files, ALONE))
    rows = [
        {"of": of, "gc": round(gc_share(letters), 4)} | figures
        for (of, letters), figures in zip(made + cut, found, strict=True)
    ]
    return {"random": rows[: len(made)], "real": rows[len(made) :]}


def slices_by_gc(letters: bytes, amounts: Amounts) -> list[bytes]:
    """Slices without N, from the poorest in G+C to the richest at equal ranks."""
    width = round(amounts.real_mb * 1e6)
    every = (letters[first : first + width] for first in range(0, len(letters) - width + 1, width))
    known = sorted((piece for piece in every if b"N" not in piece.upper()), key=gc_share)
    return [known[rank] for rank in np.linspace(0, len(known) - 1, amounts.n_real).astype(int).tolist()]


def of_contigs(pieces: Pieces, amounts: Amounts) -> list[dict[str, Any]]:
    files = [pieces.piece(amounts.contigs_mb, n_contigs=n) for n in amounts.contigs]
    rows = pieces.run(Scans(files, ALONE))
    return [{"n_contigs": n} | row for n, row in zip(amounts.contigs, rows, strict=True)]


def of_cores(pieces: Pieces, amounts: Amounts) -> list[dict[str, Any]]:
    """In worker processes, each scan in a process of its own, which has so many cores."""
    rows = []
    for cores in amounts.cores:
        for mb in amounts.cores_mb:
            scans = Scans([pieces.piece(mb)], ALONE | {"workers": cores}, cores=cores, is_local=False)
            rows.append({"cores": cores} | pieces.run(scans)[0])
    return rows


def of_whole_command(pieces: Pieces, amounts: Amounts) -> dict[str, Any]:
    """As ``mirsweep scan`` does it, beside the same without page, and without decoys."""
    piece = pieces.piece(amounts.whole_mb)
    alone, with_decoys, whole = (
        pieces.run(Scans([piece], options))[0] for options in (ALONE, {"report": False}, {"report": True})
    )
    return {
        "whole": whole,
        "decoys": round(with_decoys["all"] - alone["all"], 3),
        "page": round(whole["all"] - with_decoys["all"], 3),
    }


def measure(amounts: Amounts) -> dict[str, Any]:
    """All groups of scans, and the laws that they give."""
    genomes = find_data() / "genomes"
    with tempfile.TemporaryDirectory() as folder:
        pieces = Pieces(Path(folder), [read_letters(genomes / f"{name}.fa.gz") for name in CHROMOSOMES])
        groups = {
            "cores": of_cores(pieces, amounts),
            "sizes": of_sizes(pieces, amounts),
            "spans": of_spans(pieces, amounts),
            "gc": of_gc(pieces, amounts),
            "contigs": of_contigs(pieces, amounts),
            "whole_command": of_whole_command(pieces, amounts),
        }
    found = laws(groups)
    driver = json.loads((ROOT / "benchmarks" / "results" / "driver.json").read_text())
    return groups | {"laws": found, "human_genome": human(groups, found, driver)}


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small pieces, to test the script")
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/scaling.json")
    arguments = parser.parse_args()
    amounts = QUICK if arguments.quick else Amounts()
    figures = {"command": command_line()} | measure(amounts)
    print(json.dumps(figures["laws"], indent=1))
    if arguments.json:
        write_result("scaling", figures)


if __name__ == "__main__":
    main()
