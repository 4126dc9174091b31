"""Observed against promised false discovery of loci: by decoys on held-out chromosomes, and without any miRNA.

    python benchmarks/measure_decoys.py          benchmarks/results/decoys.json

Each row's loci are ranked by a combination that was fitted on the other chromosomes alone, with the fixed rates of the
other animal chromosomes; its decoys are the same part of the chromosome read backwards, scored by the same models. A
locus counts as false unless it recovers a precursor that an annotation has: undiscovered ones count as false too. Needs
the work folder of ``make_genome_models.py``; the scans of the reversed chromosomes, and their scores, are kept in it.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from genome_loci import FITTED_ON, TestedLoci, fit, fixed_rates, known_arms_of, loci_of_row, of_others, with_arms
from genome_runs import ANNOTATIONS, EBV, MIDDLE, RUNS, WORK, Part, Work, X, scores_path
from genome_scores import ROWS, tests_of
from harness import write_result
from measure_prefilter import shuffled_dinucleotides
from mirsweep.jobs import read_loci, scan
from mirsweep.jobs.loci.combination import Rates, read_combination, terms_of
from mirsweep.jobs.loci.error_rate import NO_DECOYS, DecoyScores, error_rates, without_precursors
from mirsweep.jobs.loci.facing import best_facing, read_forwards
from mirsweep.jobs.loci.features import survey
from mirsweep.jobs.loci.likely import lowest_score
from mirsweep.jobs.results.compare import match
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.query import FP_PRESETS, Q_PRESETS
from mirsweep.jobs.training.calibrate import score_rows
from mirsweep.model import load_model
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.reversed import Reversed

FP_LEVELS = (0.3, 1.0, 3.0, 10.0)
"""Unannotated loci per Mb at which decoys are counted beside them."""
N_SIMULATED, N_TRUE = 100, 30
"""Simulated genomes of each kind, and true loci in each."""


class Backwards(NamedTuple):
    """Loci of a part read backwards: their terms, whether each starts in the first half of what was scanned, and where
    it lies in the genome as it is."""

    terms: np.ndarray
    is_first: np.ndarray
    places: pa.Table


def backwards_of(work: Work, name: str, part: Part) -> Backwards:
    """Decoys of a run's test part, by the same model and from the same score of candidates on."""
    genome = Reversed(open_genome(work.genome(part.stem)))
    genome.name = f"reversed_{part.stem}"  # that of the scan: copies are counted in the genome of their rows
    table = reversed_candidates(work, part, RUNS[name].kingdom)
    path = scores_path(work, name, Part(f"reversed_{part.stem}", part.half))
    model = work.folder / f"{name}.safetensors"
    if not path.is_file() or path.stat().st_mtime < model.stat().st_mtime:
        np.save(path, score_rows(load_model(model), table))
    table = table.set_column(table.schema.get_field_index("score"), "score", pa.array(np.load(path), pa.float32()))
    forward = pa.table({"score": np.load(scores_path(work, name, part)).astype(np.float32)})
    lowest = lowest_score(ds.dataset(forward), work.scanned_mb(part, RUNS[name].kingdom))
    likely = table.filter(pc.greater_equal(table["score"], pa.scalar(lowest, pa.float32()))).unify_dictionaries()
    found = survey(with_arms(work, name, likely), [genome], known_arms_of(work, name))
    starts = found.rows["start"].to_numpy()
    is_first = starts < (starts.min(initial=0) + starts.max(initial=0)) / 2
    contig = open_genome(work.genome(part.stem)).contigs[0]
    places = read_forwards(of_genome(found.rows, part.stem), {(part.stem, contig.name): contig.length})
    return Backwards(terms_of(found.evidence), is_first, places)


def of_genome(rows: pa.Table, name: str) -> pa.Table:
    """The rows, with the name of a genome: that of the chromosome, whichever file it was read from."""
    return rows.set_column(rows.schema.get_field_index("genome"), "genome", pa.array([name] * rows.num_rows))


def decoys_of(parts: Sequence[TestedLoci], backwards: Sequence[Backwards], model: Any) -> DecoyScores:
    """Decoys of a row, scored by a combination, with the best locus that each faces."""
    scores, facing = [], []
    for part, found in zip(parts, backwards, strict=True):
        scores.append(model.predict_proba(found.terms)[:, 1])
        rows = of_genome(part.rows, part.part.stem)
        facing.append(best_facing(found.places, rows, model.predict_proba(part.terms)[:, 1]))
    return DecoyScores(np.concatenate(scores), sum(part.mb for part in parts), np.concatenate(facing))


def reversed_candidates(work: Work, part: Part, kingdom: str) -> pa.Table:
    """Candidates of a chromosome read backwards, or those of its half; scanned if that is still to be done."""
    folder = work.folder / f"scan-{kingdom}-reversed_{part.stem}"
    contig = open_genome(work.genome(part.stem)).contigs[0]
    if not (folder / "run.json").is_file():
        view = Reversed(open_genome(work.genome(part.stem)))
        fasta = work.folder / f"reversed_{part.stem}.fa"
        fasta.write_bytes(f">{contig.name}\n".encode() + view.fetch(contig.name, 0, contig.length) + b"\n")
        preset = "virus" if part.stem == EBV else kingdom
        scan(fasta, output=folder, model="paper-cross", preset=preset, report=False, quiet=True)
    table = open_output(folder).dataset().to_table()
    if part.half is None:
        return table
    is_second = pc.less_equal(table["end"], contig.length - MIDDLE[part.stem])
    return table.filter(is_second if part.half else pc.invert(is_second))


def measured(work: Work, row: str, fitted_on: dict[str, list[TestedLoci]]) -> dict[str, Any]:
    """Observed beside promised figures of a row."""
    parts = loci_of_row(work, row)
    others = of_others(parts, fitted_on)
    model = fit(others)
    fixed = fixed_rates(model, others)
    scores = np.concatenate([model.predict_proba(part.terms)[:, 1] for part in parts])
    is_known = np.concatenate([known_to_any(work, part) for part in parts])
    is_unannotated = np.concatenate([part.is_unannotated for part in parts])
    backwards = [backwards_of(work, name, part) for name, part in tests_of(row)]
    mb = sum(part.mb for part in parts)
    every = decoys_of(parts, backwards, model)
    decoys = without_precursors(scores, mb, every, fixed)
    is_first = np.concatenate([found.is_first for found in backwards])
    by_decoys = error_rates(scores, mb, decoys, fixed)
    alone = error_rates(scores, mb, NO_DECOYS, fixed)
    return {
        "mb": mb,
        "by_decoys": {name: passed(by_decoys.q_value <= q, is_known) for name, q in Q_PRESETS.items()},
        "without_decoys": {name: passed(alone.fp_per_mb <= x, is_known) for name, x in FP_PRESETS.items()},
        "n_precursors_backwards": len(every.scores) - len(decoys.scores),
        "decoys_per_mb_at_unannotated_per_mb": levels(scores[is_unannotated], decoys.scores, mb),
        "half_of_the_decoys_by_the_other": nothing_there(
            every.scores[is_first], every.scores[~is_first], mb / 2, fixed
        ),
    }


def known_to_any(work: Work, part: TestedLoci) -> np.ndarray:
    """Which loci recover a precursor of any annotation; bool."""
    found = np.zeros(part.rows.num_rows, bool)
    for annotation in ANNOTATIONS[part.part.stem]:
        found[match(part.rows, work.loci(part.part.stem, annotation))[:, 0]] = True
    return found


def passed(passes: np.ndarray, is_known: np.ndarray) -> dict[str, Any]:
    """Loci that pass, those of them on known precursors, and the share of the others."""
    n, n_known = int(passes.sum()), int(is_known[passes].sum())
    return {"n_loci": n, "n_known": n_known, "false_share": round(1 - n_known / n, 4) if n else None}


def levels(unannotated: np.ndarray, decoys: np.ndarray, mb: float) -> dict[str, float]:
    """Decoys per Mb at the score from which on there is a rate of unannotated loci, by that rate."""
    falling = np.sort(unannotated)[::-1]
    ranks = {level: int(level * mb) for level in FP_LEVELS if 0 < int(level * mb) <= len(falling)}
    return {f"{level:g}": float((decoys >= falling[rank - 1]).sum() / mb) for level, rank in ranks.items()}


def nothing_there(scores: np.ndarray, decoys: np.ndarray, mb: float, fixed: Rates) -> dict[str, int]:
    """Loci that pass each preset where all are false: half of the decoys, with the other half as theirs."""
    q_values = error_rates(scores, mb, DecoyScores(decoys, mb), fixed).q_value
    return {name: int((q_values <= limit).sum()) for name, limit in Q_PRESETS.items()}


def shuffled(work: Work) -> dict[str, int]:
    """Loci of a scan by the command's defaults where dinucleotides of 4 Mb of C. elegans X are shuffled."""
    genome = open_genome(work.genome(X))
    codes = shuffled_dinucleotides(encode(genome.fetch(genome.contigs[0].name, 0, 4_000_000)), seed=1)
    path, folder = work.folder / "shuffled-decoys.fa", work.folder / "scan-shuffled-decoys"
    path.write_bytes(b">shuffled\n" + np.frombuffer(b"ACGTN", np.uint8)[codes].tobytes() + b"\n")
    scan(path, output=folder, overwrite=True, report=False, quiet=True)
    q_values = read_loci(folder)["q_value"].to_numpy()
    return {name: int((q_values <= limit).sum()) for name, limit in Q_PRESETS.items()}


def simulated() -> dict[str, dict[str, float]]:
    """Mean share of false loci at each preset in simulated genomes, by Mb, and by how many times the fixed rates."""
    return {
        f"{mb:g} Mb, {factor:g} times": false_shares(mb, factor, read_combination().rates)
        for mb in (0.2, 2.0, 20.0)
        for factor in (0.2, 1.0, 5.0, 30.0)
    }


def false_shares(mb: float, factor: float, fixed: Rates) -> dict[str, float]:
    """The same of one kind, with as many Mb of decoys."""
    shares: dict[str, list[float]] = {name: [] for name in Q_PRESETS}
    for seed in range(N_SIMULATED):
        rng = np.random.default_rng(seed)
        true, false = np.clip(rng.beta(2, 1.5, N_TRUE), 0, 0.999), draw(rng, mb, factor, fixed)
        scores, decoys = np.concatenate([true, false]), DecoyScores(draw(rng, mb, factor, fixed), mb)
        q_values = error_rates(scores, mb, decoys, fixed).q_value
        for name, limit in Q_PRESETS.items():
            passes = q_values <= limit
            shares[name].append(passes[N_TRUE:].sum() / max(1, passes.sum()))
    return {name: round(float(np.mean(found)), 4) for name, found in shares.items()}


def draw(rng: np.random.Generator, mb: float, factor: float, fixed: Rates) -> np.ndarray:
    """Scores of false loci: a Poisson process with the fixed rates, up to 100 per Mb, times a factor."""
    u = rng.uniform(0, 100, rng.poisson(100 * factor * mb))
    scores = np.interp(np.log(u), np.log(fixed.fp_per_mb[::-1]), fixed.score[::-1])
    beyond = u < fixed.fp_per_mb[-1]
    return np.where(beyond, scores + rng.uniform(0, 0.3, len(u)), scores)


def main() -> None:
    """Measure all rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    work = Work(parser.parse_args().work)
    done = [row for row in ROWS if all(scores_path(work, *test).is_file() for test in tests_of(row))]
    fitted_on = {row: loci_of_row(work, row) for row in FITTED_ON if row in done}
    result = {
        "command": "python benchmarks/make_genome_models.py prepare, then train, or export and collect; "
        "python benchmarks/measure_decoys.py",
        "q_values": Q_PRESETS,
        "rows": {row: measured(work, row, fitted_on) for row in done},
        "shuffled": shuffled(work),
        "simulated": simulated(),
    }
    print(json.dumps(result, indent=1))
    write_result("decoys", result)


if __name__ == "__main__":
    main()
