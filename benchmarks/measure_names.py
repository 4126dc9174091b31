"""How often `annotate` names right: each species by the records of all others, real scans, and how long it takes.

    python benchmarks/measure_names.py           benchmarks/results/names.json

Precursors of a species are named by all records of other species, and by those of other clades alone. A family is that
of miRBase's names, which is a strict measure: mir-99 and mir-100 count as two. What chance gives is told from the same
precursors read backwards. Scans are made in a temporary folder unless ``--work`` names one, and kept there.
"""

import argparse
import gzip
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import edlib
import numpy as np
from Bio.Align import PairwiseAligner

from harness import find_data, write_result
from mirsweep.jobs import annotate, read_loci, scan
from mirsweep.jobs.annotate.known_sequences import KnownSequences, read_known_sequences
from mirsweep.jobs.annotate.match import Queries
from mirsweep.jobs.annotate.nearest import Nearest, find_nearest
from mirsweep.jobs.annotate.queries import chance_queries, queries_of
from mirsweep.jobs.annotate.record_names import parse_name
from mirsweep.jobs.results.dataset import open_loci

NEMATODES = frozenset(re.findall(r"\w+", "cel cbr crm cbn prd ppc bma asu hco str pbv hpo cte gpa mja"))
PRIMATES = frozenset(re.findall(r"\w+", "hsa ptr ppy ggo mml ppa mne mmr sla lla lca age ssy cja nle pbi pha oga ogo"))
BRASSICALES = frozenset(re.findall(r"\w+", "ath aly bra bna bol cpa csy eun"))
HERPESVIRUSES = frozenset(re.findall(r"\w+", "ebv rlcv"))
CLADES = {"cel": NEMATODES, "hsa": PRIMATES, "ath": BRASSICALES, "ebv": HERPESVIRUSES}
SPECIES = ("cel", "hsa", "gga", "bmo", "ath", "osa", "ebv")
N_SPEED_LOCI, N_SPEED_MATURES = 500, 40_000
_NO_ARM = -(10**6)


class Row(NamedTuple):
    """A precursor of miRBase and its mature sequences."""

    name: str
    sequence: str
    matures: tuple[tuple[str, str], ...]

    @property
    def species(self) -> str:
        return self.name.partition("-")[0]

    @property
    def family(self) -> str:
        return parse_name(self.name).family


def read_rows(data: Path) -> list[Row]:
    with gzip.open(data / "hairpins" / "mirbase_v22.tsv.gz", "rt") as stream:
        fields = [line.rstrip("\n").split("\t") for line in stream][1:]
    return [
        Row(own[1], own[2], tuple((own[k], own[k + 1]) for k in (4, 7) if len(own) > k + 1 and len(own[k + 1]) > 3))
        for own in fields
        if not set(own[2]) - set("ACGU")
    ]


def known_of(rows: Sequence[Row], folder: Path, *, without: Collection[str]) -> KnownSequences:
    """What `annotate` reads of the records of all but some species."""
    mature, hairpin = write_fasta(rows, folder, without=without)
    return read_known_sequences([mature], [hairpin])


def write_fasta(rows: Sequence[Row], folder: Path, *, without: Collection[str]) -> tuple[Path, Path]:
    kept = [row for row in rows if row.species not in without]
    mature, hairpin = folder / "mature.fa", folder / "hairpin.fa"
    hairpin.write_text("".join(f">{row.name}\n{row.sequence}\n" for row in kept))
    mature.write_text("".join(f">{name}\n{sequence}\n" for row in kept for name, sequence in row.matures))
    return mature, hairpin


def queries_from(rows: Sequence[Row], *, backwards: bool = False) -> Queries:
    """Precursors as they are, with the true 5' ends of their arms, or read backwards."""
    arms = np.full((len(rows), 2), _NO_ARM)
    for number, row in enumerate(rows):
        for _, mature in row.matures:
            start = row.sequence.find(mature)
            is_3p = int(2 * start + len(mature) > len(row.sequence))
            if start >= 0 and backwards:
                arms[number, 1 - is_3p] = len(row.sequence) - start - len(mature)
            elif start >= 0:
                arms[number, is_3p] = start
    sequences = [row.sequence[::-1] if backwards else row.sequence for row in rows]
    return Queries(sequences, np.zeros(len(rows), np.int64), arms)


def of_species(species: str, rows: Sequence[Row], folder: Path, *, without: Collection[str]) -> dict[str, Any]:
    """Precursors of a species named by the records of others."""
    own = [row for row in rows if row.species == species]
    known = known_of(rows, folder, without={species, *without})
    families = {name.family for name in known.parsed.values()}
    forwards, backwards = queries_from(own), queries_from(own, backwards=True)
    likely = np.ones(len(own), bool)
    found = find_nearest(forwards, backwards, known, is_likely=likely, species=species)
    chance = find_nearest(backwards, backwards, known, is_likely=likely, species=species)
    told = counted([(row.family, near) for row, near in zip(own, found, strict=True)], families)
    return told | {"n_backwards_called": sum(near.is_homologue for near in chance)}


def counted(named: Sequence[tuple[str, Nearest]], families: Collection[str]) -> dict[str, Any]:
    """How often the family is right, where others have it, and how often one is named where none has."""
    shared = [(family, near) for family, near in named if family in families]
    own = [near for family, near in named if family not in families]
    called = [(family, near) for family, near in shared if near.is_homologue]
    right = [near for family, near in called if near.name and parse_name(near.name).family == family]
    with_seed = [near for near in right if near.has_seed]
    return {
        "n": len(named),
        "n_with_family_elsewhere": len(shared),
        "n_called_homologue": len(called),
        "n_right_family": len(right),
        "n_right_with_seed": len(with_seed),
        "recall": round(len(called) / max(len(shared), 1), 4),
        "right_of_called": round(len(right) / max(len(called), 1), 4),
        "n_family_of_its_own": len(own),
        "n_of_these_called": sum(near.is_homologue for near in own),
    }


def of_scan(
    output: Path, rows: Sequence[Row], folder: Path, known: Path, *, species: str, clade: Collection[str]
) -> dict[str, Any]:
    """Loci of a scan: named by their places, by sequence with the own records, without these, without the clade."""
    by_place = annotate(output, known=known, quiet=True).to_pylist()
    truth = {row["locus"]: row["known_as"].split(",") for row in by_place if row["known_as"]}
    told: dict[str, Any] = {"n_loci": len(by_place), "n_known_by_place": len(truth)}
    for label, without in (("all_records", ()), ("own_species_left_out", {species}), ("clade_left_out", set(clade))):
        mature, hairpin = write_fasta(rows, folder, without=without)
        table = annotate(output, mature=mature, hairpin=hairpin, species=species, quiet=True).to_pylist()
        families = {row.family for row in rows if row.species not in without}
        told[label] = _of_table(table, truth, families, read_loci(output, side_tables=False)["q_value"].to_pylist())
    return told


def _of_table(
    table: Sequence[dict], truth: dict, families: Collection[str], q_values: Sequence[float]
) -> dict[str, Any]:
    named = [row for row in table if row["locus"] in truth]
    shared = [row for row in named if _families(truth[row["locus"]]) & set(families)]
    called = [row for row in shared if row["verdict"] != "novel"]
    likely = [row for row, q in zip(table, q_values, strict=True) if q <= 0.1]
    return {
        "n_name_right": sum(row["name"] in truth[row["locus"]] for row in named),
        "n_family_in_records": len(shared),
        "n_called": len(called),
        "n_right_family": sum(row["family"] in _families(truth[row["locus"]]) for row in called),
        "balanced_loci": Counter(row["verdict"] for row in likely),
        "balanced_unannotated_called": sum(row["verdict"] != "novel" and row["locus"] not in truth for row in likely),
    }


def _families(names: Sequence[str]) -> set[str]:
    return {parse_name(name).family for name in names}


def of_speed(output: Path, rows: Sequence[Row], folder: Path) -> dict[str, Any]:
    """500 loci against 40,000 distinct mature sequences: real ones, and mutations of them."""
    generator = random.Random(1)
    real = sorted({sequence for row in rows for _, sequence in row.matures if 16 <= len(sequence) <= 30})
    real = [sequence for sequence in real if not set(sequence) - set("ACGU")]
    made = set(real)
    while len(made) < N_SPEED_MATURES:
        letters = list(generator.choice(real))
        for at in generator.sample(range(len(letters)), 3):
            letters[at] = generator.choice("ACGU")
        made.add("".join(letters))
    path = folder / "many.fa"
    path.write_text("".join(f">xyz-miR-{k}\n{sequence}\n" for k, sequence in enumerate(sorted(made))))
    loci = read_loci(output, side_tables=False).sort_by([("locus_score", "descending")]).slice(0, N_SPEED_LOCI)
    began = time.perf_counter()
    known = read_known_sequences([path])
    read = time.perf_counter() - began
    chance = chance_queries(open_loci(output), loci)
    began = time.perf_counter()
    find_nearest(queries_of(loci), chance, known, is_likely=np.ones(len(loci), bool))
    seconds = time.perf_counter() - began
    told = {"n_loci": len(loci), "n_matures": len(known.matures.sequences), "n_by_chance": len(chance)}
    return told | {"seconds_reading": round(read, 2), "seconds_matching": round(seconds, 2)} | of_aligners(real, rows)


def of_aligners(matures: Sequence[str], rows: Sequence[Row]) -> dict[str, float]:
    """Microseconds of an alignment of a mature sequence into a hairpin, by the libraries there are."""
    generator = random.Random(2)
    pairs = [(generator.choice(matures), generator.choice(rows).sequence) for _ in range(5000)]
    aligner = PairwiseAligner(mode="local", match_score=5, mismatch_score=-4, open_gap_score=-8, extend_gap_score=-6)
    work: dict[str, Callable[[str, str], Any]] = {
        "edlib": lambda one, other: edlib.align(one, other, mode="HW", task="distance"),
        "biopython": aligner.score,
    }
    try:
        import parasail

        matrix = parasail.matrix_create("ACGU", 5, -4)
        work["parasail"] = lambda one, other: parasail.sg_dx_striped_16(one, other, 8, 6, matrix).score
    except ImportError:
        pass
    times = {}
    for name, align in work.items():
        began = time.perf_counter()
        for one, other in pairs:
            align(one, other)
        times[f"us_{name}"] = round((time.perf_counter() - began) / len(pairs) * 1e6, 2)
    return times


def scanned(work: Path, genome: Path, **options: Any) -> Path:
    output = work / f"scan-{genome.name.partition('.')[0]}"
    if not (output / "run.json").is_file():
        scan(genome, output=output, local=True, quiet=True, **options)
    return output


def measure(work: Path) -> dict[str, Any]:
    data = find_data()
    rows = read_rows(data)
    figures: dict[str, Any] = {"species": {}}
    for species in SPECIES:
        told = {"own_species_left_out": of_species(species, rows, work, without=())}
        if species in CLADES:
            told["clade_left_out"] = of_species(species, rows, work, without=CLADES[species])
        figures["species"][species] = told
        print(species, told, flush=True)
    genomes = data / "genomes"
    worm = scanned(work, genomes / "cel_ce2_chrX.fa.gz")
    virus = scanned(work, genomes / "ebv_NC_007605.fa.gz", preset="virus")
    figures["scans"] = {
        "cel_ce2_chrX": of_scan(
            worm, rows, work, genomes / "cel_ce2_chrX.mirbase_v22.gff3", species="cel", clade=NEMATODES
        ),
        "ebv_NC_007605": of_scan(
            virus, rows, work, genomes / "ebv_NC_007605.mirbase_v22.gff3", species="ebv", clade=HERPESVIRUSES
        ),
    }
    print(figures["scans"], flush=True)
    figures["speed"] = of_speed(worm, rows, work)
    print(figures["speed"], flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder for scans, which are kept there")
    asked = parser.parse_args()
    if asked.work is not None:
        asked.work.mkdir(parents=True, exist_ok=True)
        print(write_result("names", measure(asked.work)))
        return
    with TemporaryDirectory() as folder:
        print(write_result("names", measure(Path(folder))))


if __name__ == "__main__":
    main()
