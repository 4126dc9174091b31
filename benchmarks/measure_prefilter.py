"""What the prefilter and the stem filter leave of known precursors, before any score, and where they are cut.

    python benchmarks/measure_prefilter.py --json

Whole chromosomes at each preset, at several thresholds, with and without the filters (the gate before folding and the
stem filter after it); the same where nothing is to
be found (dinucleotides of C. elegans X shuffled); other cuts at the known loci; and the positives of the deepMiRGene
benchmark inserted between 100 nt of random sequence. Where several candidates recover a locus, ends are those of the
one with the highest log odds by the stem filter (as ``compare`` takes the best-scored one); beside it those of the one
with the lowest penalised energy and of the nearest one. Takes about ten minutes.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from harness import find_data, write_result
from insertion import features_of, insert_between, recovering, scan_whole
from make_stem_filter import precursors
from mirsweep.jobs.results.compare import match
from mirsweep.jobs.results.known import Locus, read_known
from mirsweep.scanner import ScanParams, open_genome, read_sequences, scan_tile
from mirsweep.scanner._stemfilter_weights import WEIGHTS
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.params import preset_params
from mirsweep.scanner.prefilter import strand_hairpins
from mirsweep.scanner.stemfilter import score_stems
from mirsweep.scanner.tiles import make_tiles, with_context

TILE_NT = 4_000_000
SHUFFLED_NT = 4_000_000
FLANK_NT = 100
"""Flank of the deepMiRGene positives."""
WINDOW_NT = 3_000
"""Sequence around a known locus that a cut may depend on, and more."""
THRESHOLDS = {"animal": (-4.0, -6.0, -7.5, -9.0, -12.0), "virus": (-6.0,), "plant": (0.0, -2.0, -4.0, -8.0)}
SHIFTS = (0.0, 1.0, 2.0)
"""Thresholds of the stem filter above the fitted one, in log odds; the gate stays as it is."""
FORMER = {"nested": False, "max_span": 130}
"""The rule without nested candidates, by which boundaries are compared."""
LOOSE = {"threshold": 0.0, "max_span": 200}
"""Lets nearly all positives of the deepMiRGene benchmark through."""
PLANTED_SCANS = (
    ("animal", {"stem_filter": "none"}),
    ("animal", {}),
    ("plant", {"stem_filter": "none"}),
    ("plant", {}),
    ("animal", {"stem_filter": "none"} | FORMER),
    ("animal", {"stem_filter": "none"} | LOOSE),
)
CUTS = (
    {"per_nt": 0.25, "long_penalty": 0.0},
    {"per_nt": 0.15, "long_penalty": 0.0},
    *({"per_nt": 0.15, "long_span": span, "long_penalty": 8.0} for span in (75, 80, 85, 90, 95, 100, 105)),
    *({"per_nt": 0.15, "long_span": 95, "long_penalty": penalty} for penalty in (4.0, 12.0, 20.0)),
    {"per_nt": 0.1, "long_span": 95, "long_penalty": 8.0},
    {"per_nt": 0.2, "long_span": 95, "long_penalty": 8.0},
)
ALTERNATIVES = tuple({"long_span": span, "max_span": longest} for span in (90, 95, 100) for longest in (130, 150, 180))


class Chromosome(NamedTuple):
    """A chromosome of the public data, the annotations that go with it, and the preset."""

    stem: str
    annotations: tuple[str, ...]
    preset: str


CHROMOSOMES = (
    Chromosome("cel_ce2_chrX", ("mirgenedb", "mirbase_v22"), "animal"),
    Chromosome("hsa_GRCh37_chr20", ("mirgenedb", "mirbase_v22"), "animal"),
    Chromosome("ath_TAIR10_chr1", ("mirbase_v22",), "plant"),
    Chromosome("ebv_NC_007605", ("mirbase_v22",), "animal"),
    Chromosome("ebv_NC_007605", ("mirbase_v22",), "virus"),
)


class Candidates(NamedTuple):
    """What ``match`` needs of candidates, their penalised energies, their log odds by the stem filter, and whether
    gate and filter let them through."""

    table: pa.Table
    log_odds: np.ndarray
    has_passed: np.ndarray

    def chosen(self, threshold: float, log_odds: float) -> pa.Table:
        """Those up to an energy; and that pass the filters, one of at least such log odds, unless that is -inf."""
        is_in = (self.table["penalised"].to_numpy() <= threshold + 1e-4) & (self.log_odds >= log_odds)
        if np.isfinite(log_odds):
            is_in &= self.has_passed
        return self.table.append_column("log_odds", pa.array(self.log_odds)).filter(pa.array(is_in))


def scanned(bases: bytes, contig: str, params: ScanParams, kind: str) -> Candidates:
    """Candidates of a sequence at its loosest threshold, no filter applied, and which of them a filter leaves."""
    tables, log_odds, has_passed = [], [], []
    for tile in make_tiles(len(bases), TILE_NT):
        start, end = with_context(tile, length=len(bases), context_nt=params.context_nt)
        all_of_it, passed = (
            scan_tile(bases[start:end], bases_start=start, core_start=tile.start, core_end=tile.end, params=own).table
            for own in (params, replace(params, stem_filter=kind))
        )
        log_odds.append(score_stems(features_of(all_of_it), WEIGHTS[kind]))
        tables.append(all_of_it.select(["start", "end", "strand", "penalised"]))
        places = set(_places(passed))
        has_passed += [place in places for place in _places(all_of_it)]
    table = pa.concat_tables(tables).unify_dictionaries()
    names = pa.array([contig] * table.num_rows).dictionary_encode()
    return Candidates(table.append_column("contig", names), np.concatenate(log_odds), np.array(has_passed, bool))


def _places(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in ("start", "end", "strand")), strict=True)


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


def _ends(offsets: list[int]) -> dict[str, Any]:
    """Distance of the ends, and overhang over them, nt."""
    if not offsets:
        return {}
    quartiles = np.percentile(offsets, [25, 50, 75])
    return {
        "median_distance_of_ends_nt": float(np.median(np.abs(offsets))),
        "quartiles_of_overhang_nt": quartiles.tolist(),
        "interquartile_range_nt": float(quartiles[2] - quartiles[0]),
    }


def recall(table: pa.Table, loci: Sequence[Locus]) -> dict[str, Any]:
    """Loci recovered, and where a candidate of each ends; by record and by place, which records can share."""
    pairs = match(table, loci)
    starts, ends, penalised, log_odds = (table[name].to_numpy() for name in ("start", "end", "penalised", "log_odds"))
    by_record, by_place, missed = {}, {}, []
    for index, locus in enumerate(loci):
        rows = pairs[pairs[:, 1] == index, 0]
        place = (locus.start, locus.end, locus.strand)
        by_place.setdefault(place, {})
        if not rows.size:
            missed.append(locus.name)
            continue
        offsets = np.stack([locus.start - starts[rows], ends[rows] - locus.end], axis=1)
        orders = {
            "highest_log_odds": -log_odds[rows],
            "lowest_penalised": penalised[rows],
            "nearest": np.abs(offsets).sum(axis=1),
        }
        by_record[index] = by_place[place] = {how: offsets[np.argmin(key)].tolist() for how, key in orders.items()}
    return {
        "n_known": len(loci),
        "n_recovered": len(loci) - len(missed),
        "n_places": len(by_place),
        "n_places_recovered": sum(bool(offsets) for offsets in by_place.values()),
        "missed": missed,
        "ends_of_records": _ends_by_choice(list(by_record.values())),
        "ends_of_places": _ends_by_choice([offsets for offsets in by_place.values() if offsets]),
    }


def _ends_by_choice(offsets: list[dict[str, list[int]]]) -> dict[str, Any]:
    """Ends of the candidate of each locus, for each way to choose it."""
    ways = offsets[0] if offsets else {}
    return {how: _ends([nt for own in offsets for nt in own[how]]) for how in ways}


def _figures(table: pa.Table, n_bases: int) -> dict[str, Any]:
    lengths = table["end"].to_numpy() - table["start"].to_numpy()
    return {
        "n_candidates": table.num_rows,
        "candidates_per_mb": table.num_rows / n_bases * 1e6,
        "length_percentiles_5_25_50_75_95": np.percentile(lengths, [5, 25, 50, 75, 95]).tolist(),
    }


def _settings(preset: str, kind: str) -> Iterator[tuple[dict[str, Any], float, float]]:
    """(what is varied, threshold of the prefilter, threshold of the filter) of each row."""
    default, fitted = preset_params(preset), WEIGHTS[kind].threshold
    for threshold in THRESHOLDS[preset]:
        yield {"threshold": threshold, "stem_filter": "none"}, threshold, -np.inf
        yield {"threshold": threshold, "stem_filter": kind}, threshold, fitted
    for shift in SHIFTS:
        yield {"threshold": default.threshold, "stem_filter_shift": shift}, default.threshold, fitted + shift


def measure(folder: Path, chromosome: Chromosome) -> dict[str, Any]:
    """The preset's own row, and the curve."""
    genome = open_genome(folder / f"{chromosome.stem}.fa.gz")
    contig = genome.contigs[0]
    kind = "plant" if chromosome.preset == "plant" else "animal"
    params = preset_params(chromosome.preset, threshold=max(THRESHOLDS[chromosome.preset]), stem_filter="none")
    found = scanned(genome.fetch(contig.name, 0, contig.length), contig.name, params, kind)
    loci = {name: read_known(folder / f"{chromosome.stem}.{name}.gff3") for name in chromosome.annotations}
    curve = []
    for setting, threshold, log_odds in _settings(chromosome.preset, kind):
        table = found.chosen(threshold, log_odds)
        found_loci = {name: recall(table, known) for name, known in loci.items()}
        curve.append(setting | _figures(table, contig.length) | found_loci)
    default = preset_params(chromosome.preset)
    wanted = {"threshold": default.threshold, "stem_filter": default.stem_filter}
    own = next(row for row in curve if wanted.items() <= row.items())
    print(json.dumps({"chromosome": chromosome.stem, "preset": chromosome.preset} | own), flush=True)
    bare = [_without_ends(row) for row in curve]
    return {"chromosome": chromosome.stem, "preset": chromosome.preset, "default": own, "curve": bare}


def _without_ends(row: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if not key.startswith("ends_of_")}
    return {key: _without_ends(value) if isinstance(value, dict) else value for key, value in kept.items()}


def measure_shuffled(folder: Path) -> list[dict[str, Any]]:
    """Candidates per Mb where no hairpin has been selected for."""
    genome = open_genome(folder / "cel_ce2_chrX.fa.gz")
    codes = shuffled_dinucleotides(encode(genome.fetch(genome.contigs[0].name, 0, SHUFFLED_NT)), seed=1)
    bases, rows = decode(codes).encode(), []
    for preset in ("animal", "plant"):
        params = preset_params(preset, threshold=max(THRESHOLDS[preset]), stem_filter="none")
        found = scanned(bases, "shuffled", params, preset)
        for setting, threshold, log_odds in _settings(preset, preset):
            rows.append({"preset": preset} | setting | _figures(found.chosen(threshold, log_odds), codes.size))
    return rows


def windows(folder: Path, chromosome: Chromosome) -> tuple[bytes, dict[str, list[Locus]]]:
    """The surroundings of all known loci, joined by breaks, and the loci in them: cuts are those of the chromosome."""
    genome = open_genome(folder / f"{chromosome.stem}.fa.gz")
    contig = genome.contigs[0]
    loci = {name: read_known(folder / f"{chromosome.stem}.{name}.gff3") for name in chromosome.annotations}
    merged: list[list[int]] = []
    for start, end in sorted(
        (locus.start - WINDOW_NT, locus.end + WINDOW_NT) for own in loci.values() for locus in own
    ):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([max(start, 0), end])
    pieces, moved, offset = [], {name: [] for name in loci}, 0
    for start, end in merged:
        bases = genome.fetch(contig.name, start, min(end, contig.length))
        for name, own in loci.items():
            inside = [locus for locus in own if start <= locus.start and locus.end <= end]
            shift = offset - start
            moved[name] += [locus._replace(start=locus.start + shift, end=locus.end + shift) for locus in inside]
        pieces += [bases, b"N"]
        offset += len(bases) + 1
    return b"".join(pieces), moved


def _measure_cut(chromosome: str, bases: bytes, loci: dict[str, list[Locus]], asked: dict[str, Any]) -> dict[str, Any]:
    params = ScanParams(**asked, stem_filter="none")
    found = scanned(bases, next(iter(loci.values()))[0].contig, params, "animal").chosen(np.inf, -np.inf)
    return {"chromosome": chromosome} | asked | {name: recall(found, known) for name, known in loci.items()}


def measure_cuts(folder: Path) -> list[dict[str, Any]]:
    """Where other penalties would cut the known loci, without the stem filter; thresholds let through about as many.

    First without nested candidates, then with nested ones up to other spans.
    """
    rows = []
    for chromosome in CHROMOSOMES[:2]:
        surroundings = windows(folder, chromosome)
        for cut in CUTS:
            threshold = round(-7.5 + (cut["per_nt"] - 0.15) * 60, 2)
            rows.append(_measure_cut(chromosome.stem, *surroundings, {"threshold": threshold} | cut | FORMER))
        rows += [_measure_cut(chromosome.stem, *surroundings, spans) for spans in ALTERNATIVES]
    return rows


def count_hairpins(folder: Path) -> list[dict[str, Any]]:
    """Hairpins per Mb of C. elegans X, both strands, before the stem filter, at settings of the inserted positives."""
    genome = open_genome(folder / "cel_ce2_chrX.fa.gz")
    contig = genome.contigs[0]
    codes = encode(genome.fetch(contig.name, 0, contig.length))
    rows = []
    for asked in (FORMER, {}, LOOSE):
        hairpins = [strand_hairpins(own, ScanParams(**asked)) for own in (codes, reverse_complement(codes))]
        n_hairpins = sum(found.starts.size for found in hairpins)
        rows.append(asked | {"n_hairpins": n_hairpins, "hairpins_per_mb": n_hairpins / contig.length * 1e6})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def measure_annotations(folder: Path) -> list[dict[str, Any]]:
    """How far miRBase's ends lie beyond MirGeneDB's, and from a cut so many nt beyond MirGeneDB's."""
    rows = []
    for chromosome in CHROMOSOMES[:2]:
        exact, loose = (read_known(folder / f"{chromosome.stem}.{name}.gff3") for name in ("mirgenedb", "mirbase_v22"))
        beyond = {}
        for own in exact:
            for other in loose:
                is_same = own.strand == other.strand and other.start - 3 <= own.start and own.end <= other.end + 3
                if is_same:
                    beyond[own.start, own.end, own.strand] = own.start - other.start, other.end - own.end
        offsets = np.array(list(beyond.values())).ravel()
        distances = {str(nt): float(np.median(np.abs(offsets - nt))) for nt in range(8, 19)}
        row = {"chromosome": chromosome.stem, "n_places": len(beyond), "median_nt": float(np.median(offsets))}
        rows.append(row | {"median_distance_from_a_cut_nt": distances})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def _random_flanks(rng: np.random.Generator) -> Iterator[bytes]:
    while True:
        yield rng.choice(np.frombuffer(b"ACGU", np.uint8), FLANK_NT).tobytes()


def measure_inserted(folder: Path) -> list[dict[str, Any]]:
    """The deepMiRGene positives between random flanks: how many a candidate recovers, or covers by half at least.

    Unseen are those that the stem filter was not fitted on.
    """
    rows = []
    fitted = {kind: set(precursors(find_data() / "hairpins", kind, np.random.default_rng(1))) for kind in WEIGHTS}
    for path in sorted(folder.glob("*_pos.fa")):
        sequences = [sequence for _, sequence in read_sequences(path)]
        inserted = insert_between(sequences, _random_flanks(np.random.default_rng(7)))
        lengths = np.array([len(sequence) for sequence in sequences])
        for preset, asked in PLANTED_SCANS:
            table = scan_whole(inserted.bases, preset_params(preset, strand="+", **asked))
            is_found = recovering(table, inserted.places) >= 0
            is_unseen = np.array([sequence.upper().replace("T", "U") not in fitted[preset] for sequence in sequences])
            rows.append(
                {
                    "set": path.stem,
                    "preset": preset,
                    **asked,
                    "n": len(sequences),
                    "n_recovered": int(is_found.sum()),
                    "share": float(is_found.mean()),
                    "share_covered_by_half": float((recovering(table, inserted.places, min_of_place=0.5) >= 0).mean()),
                    "share_up_to_100_nt": float(is_found[lengths <= 100].mean()),
                    "share_of_longer": float(is_found[lengths > 100].mean()),
                    "n_unseen": int(is_unseen.sum()),
                    "share_of_unseen": float(is_found[is_unseen].mean()),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/prefilter_recall.json")
    arguments = parser.parse_args()
    data = find_data()
    figures = {
        "command": "python benchmarks/measure_prefilter.py --json",
        "deepmirgene_planted": measure_inserted(data / "deepmirgene" / "sequences"),
        "mirbase_beyond_mirgenedb": measure_annotations(data / "genomes"),
        "hairpins_of_cel_ce2_chrX": count_hairpins(data / "genomes"),
        "cuts": measure_cuts(data / "genomes"),
        "chromosomes": [measure(data / "genomes", chromosome) for chromosome in CHROMOSOMES],
        "shuffled_cel_ce2_chrX": measure_shuffled(data / "genomes"),
    }
    if arguments.json:
        write_result("prefilter_recall", figures)


if __name__ == "__main__":
    main()
