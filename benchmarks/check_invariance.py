"""Whole chromosomes scanned in several ways: the rows must not depend on the way.

    python benchmarks/check_invariance.py

Tile widths; the reverse complement, mirrored; in process, in worker processes, and on Ray with one and two workers and
other shards. Each preset on C. elegans X, the animal preset on 20 Mb of human chr20 besides. Writes
benchmarks/results/invariance.json.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness import find_data, write_result
from mirsweep.jobs import query, scan
from mirsweep.scanner import ScanParams, open_genome, scan_tile
from mirsweep.scanner.params import preset_params
from mirsweep.scanner.tiles import make_tiles, with_context

WIDTHS = (4_000_000, 1_000_003, 250_007)
"""The first is what the others are held against."""
SCANS = (
    ("cel_ce2_chrX", 0, None, "animal"),
    ("cel_ce2_chrX", 0, None, "plant"),
    ("cel_ce2_chrX", 0, None, "virus"),
    ("hsa_GRCh37_chr20", 20_000_000, 40_000_000, "animal"),
)
WAYS = (
    {"local": True, "shard_nt": 1_000_000},
    {"workers": 2, "shard_nt": 1_500_001},
    {"local": False, "workers": 1, "shard_nt": 3_000_001},
    {"local": False, "workers": 2, "shard_nt": 700_001},
)
SCORES = ["score", "expected_fp_per_mb"]
"""Columns that may differ in their last digits, with the batch that a row is scored in."""
_COMPLEMENT = bytes.maketrans(b"ACGTUacgtu", b"TGCAAtgcaa")


def rows_of(bases: bytes, width: int, params: ScanParams) -> list[tuple[Any, ...]]:
    """All rows of a sequence, scanned in tiles of one width."""
    tables = []
    for tile in make_tiles(len(bases), width):
        start, end = with_context(tile, length=len(bases), context_nt=params.context_nt)
        result = scan_tile(bases[start:end], bases_start=start, core_start=tile.start, core_end=tile.end, params=params)
        tables.append(result.table)
    table = pa.concat_tables(tables).unify_dictionaries()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def mirrored(rows: list[tuple[Any, ...]], length: int) -> list[tuple[Any, ...]]:
    """Rows of a reverse complement in coordinates of the sequence itself, by start, end, strand."""
    turned = (
        (length - end, length - start, "-" if strand == "+" else "+", *rest) for start, end, strand, *rest in rows
    )
    return sorted(turned, key=lambda row: row[:3])


def check_tiles(folder: Path, stem: str, start: int, end: int | None, preset: str) -> dict[str, Any]:
    """Rows that differ between tile widths, and between the strands."""
    genome = open_genome(folder / f"{stem}.fa.gz")
    contig = genome.contigs[0]
    bases = genome.fetch(contig.name, start, end or contig.length)
    params = preset_params(preset)
    rows = rows_of(bases, WIDTHS[0], params)
    expected = set(rows)
    figures: dict[str, Any] = {"chromosome": stem, "start": start, "n_bases": len(bases), "preset": preset}
    figures |= {"n_rows": len(rows), "n_repeated": len(rows) - len(expected)}
    for width in WIDTHS[1:]:
        figures[f"n_different_in_tiles_of_{width}"] = len(expected ^ set(rows_of(bases, width, params)))
    turned = mirrored(rows_of(bases.translate(_COMPLEMENT)[::-1], WIDTHS[0], params), len(bases))
    figures["n_different_on_the_reverse_complement"] = len(expected ^ set(turned))
    return figures


def check_ways(genome: Path) -> dict[str, Any]:
    """Rows of whole scans that differ, and the largest differences of a score and of the rate that follows from it."""
    tables = []
    for way in WAYS:
        with tempfile.TemporaryDirectory() as folder:
            scan(genome, output=folder, decoys="none", report=False, quiet=True, **way)
            tables.append(query(folder))
    bare = [set(zip(*(c.to_pylist() for c in t.drop_columns(SCORES).columns), strict=True)) for t in tables]
    scores, rates = ([table[name].to_numpy() for table in tables] for name in SCORES)
    is_same = [table.num_rows == tables[0].num_rows for table in tables[1:]]
    return {
        "chromosome": genome.name.removesuffix(".fa.gz"),
        "ways": list(WAYS),
        "n_rows": tables[0].num_rows,
        "n_different": [len(bare[0] ^ other) for other in bare[1:]],
        "largest_difference_of_a_score": [
            float(np.abs(other - scores[0]).max()) if same else None
            for other, same in zip(scores[1:], is_same, strict=True)
        ],
        "largest_relative_difference_of_expected_fp_per_mb": [
            float(np.abs(other / rates[0] - 1).max()) if same else None
            for other, same in zip(rates[1:], is_same, strict=True)
        ],
    }


def main() -> None:
    """Check, print and keep the figures."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    folder = find_data() / "genomes"
    tiles = []
    for stem, start, end, preset in SCANS:
        tiles.append(check_tiles(folder, stem, start, end, preset))
        print(json.dumps(tiles[-1]), flush=True)
    ways = check_ways(folder / "cel_ce2_chrX.fa.gz")
    print(json.dumps(ways))
    command = "python benchmarks/check_invariance.py"
    write_result("invariance", {"command": command, "tiles_and_strands": tiles, "workers": ways})


if __name__ == "__main__":
    main()
