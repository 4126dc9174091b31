"""What the prefilter finds of the known precursors of whole chromosomes, before any score, and where it cuts them.

    python benchmarks/recall_prefilter.py --json

Thresholds -2.9 (the default) and stricter; spans 45 to 130, for Arabidopsis also 45 to 300; and the same on the
chromosome of C. elegans with its dinucleotides shuffled, where nothing is to be found.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from harness import find_data, write_result
from mirsweep.jobs.compare import match
from mirsweep.jobs.loci import read_loci
from mirsweep.scanner.alphabet import encode, reverse_complement
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.prefilter import HairpinParams, strand_hairpins

THRESHOLDS = (-2.9, -4.0, -6.0, -8.0)


class Chromosome(NamedTuple):
    """A chromosome of the public data, the annotations that go with it, and the longest span searched."""

    stem: str
    annotations: tuple[str, ...]
    max_span: int


CHROMOSOMES = (
    Chromosome("cel_ce2_chrX", ("mirgenedb", "mirbase_v22"), 130),
    Chromosome("hsa_GRCh37_chr20", ("mirgenedb", "mirbase_v22"), 130),
    Chromosome("ath_TAIR10_chr1", ("mirbase_v22",), 130),
    Chromosome("ath_TAIR10_chr1", ("mirbase_v22",), 300),
    Chromosome("ebv_NC_007605", ("mirbase_v22",), 130),
)


def candidates(codes: np.ndarray, contig: str, params: HairpinParams) -> pa.Table:
    """Hairpins of both strands, forward-strand coordinates."""
    forward, reverse = (strand_hairpins(own, params) for own in (codes, reverse_complement(codes)))
    strands = ["+"] * forward.starts.size + ["-"] * reverse.starts.size
    return pa.table(
        {
            "contig": pa.array([contig] * len(strands)).dictionary_encode(),
            "start": np.concatenate([forward.starts, codes.size - reverse.ends]),
            "end": np.concatenate([forward.ends, codes.size - reverse.starts]),
            "strand": pa.array(strands).dictionary_encode(),
            "penalised": np.concatenate([forward.penalised, reverse.penalised]),
        }
    )


def shuffled_dinucleotides(codes: np.ndarray, seed: int) -> np.ndarray:
    """A first-order Markov sequence with the dinucleotide frequencies of the valid bases of ``codes``."""
    valid = codes[codes < 4].astype(np.int64)
    counts = np.bincount(4 * valid[:-1] + valid[1:], minlength=16).reshape(4, 4)
    bounds = np.cumsum(counts / counts.sum(axis=1, keepdims=True), axis=1)
    draws = np.random.default_rng(seed).random(valid.size)
    out = np.empty(valid.size, np.uint8)
    state = 0
    for i, draw in enumerate(draws.tolist()):
        state = min(int(np.searchsorted(bounds[state], draw)), 3)
        out[i] = state
    return out


def recall(table: pa.Table, annotation: Path) -> dict:
    """Known loci recovered, and how far the best candidate of each reaches beyond the locus on either side, nt."""
    loci = read_loci(annotation)
    pairs = match(table, loci)
    penalised = table["penalised"].to_numpy()
    offsets = []
    for index, locus in enumerate(loci):
        rows = pairs[pairs[:, 1] == index, 0]
        if rows.size:
            row = int(rows[np.argmin(penalised[rows])])
            offsets += [locus.start - table["start"][row].as_py(), table["end"][row].as_py() - locus.end]
    quartiles = np.percentile(offsets, [25, 50, 75]) if offsets else np.full(3, np.nan)
    return {
        "n_known": len(loci),
        "n_recovered": len(offsets) // 2,
        "median_distance_of_ends_nt": float(np.median(np.abs(offsets))),
        "quartiles_of_overhang_nt": quartiles.tolist(),
    }


def measure(folder: Path, chromosome: Chromosome) -> list[dict]:
    """One row a threshold."""
    genome = open_genome(folder / f"{chromosome.stem}.fa.gz")
    contig = genome.contigs[0]
    codes = encode(genome.fetch(contig.name, 0, contig.length))
    rows = []
    for threshold in THRESHOLDS:
        params = HairpinParams(min_span=45, max_span=chromosome.max_span, threshold=threshold)
        table = candidates(codes, contig.name, params)
        lengths = (table["end"].to_numpy() - table["start"].to_numpy()).astype(float)
        rows.append(
            {
                "chromosome": chromosome.stem,
                "max_span": chromosome.max_span,
                "threshold": threshold,
                "n_candidates": table.num_rows,
                "candidates_per_mb": table.num_rows / contig.length * 1e6,
                "length_percentiles_5_50_95": np.percentile(lengths, [5, 50, 95]).tolist(),
            }
            | {name: recall(table, folder / f"{chromosome.stem}.{name}.gff3") for name in chromosome.annotations}
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def measure_shuffled(folder: Path) -> list[dict]:
    """Candidates per Mb where no hairpin has been selected for."""
    genome = open_genome(folder / "cel_ce2_chrX.fa.gz")
    codes = shuffled_dinucleotides(encode(genome.fetch(genome.contigs[0].name, 0, 4_000_000)), seed=1)
    rows = []
    for threshold in THRESHOLDS:
        table = candidates(codes, "shuffled", HairpinParams(min_span=45, threshold=threshold))
        rows.append({"threshold": threshold, "candidates_per_mb": table.num_rows / codes.size * 1e6})
    return rows


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/prefilter_recall.json")
    arguments = parser.parse_args()
    folder = find_data() / "genomes"
    rows = [row for chromosome in CHROMOSOMES for row in measure(folder, chromosome)]
    shuffled = measure_shuffled(folder)
    print(json.dumps(shuffled))
    if arguments.json:
        command = "python benchmarks/recall_prefilter.py --json"
        write_result("prefilter_recall", {"command": command, "chromosomes": rows, "shuffled_cel_ce2_chrX": shuffled})


if __name__ == "__main__":
    main()
