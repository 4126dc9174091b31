"""Mature sequences of known precursors on chromosomes that the models have not seen: ``benchmarks/results/arms.json``.

    python benchmarks/make_arms.py && python benchmarks/measure_arms.py

Beside miRBase's, on the best-scored candidate of each known precursor; of those with the same mature sequences (human
chr20 has mir-941 13 times) the first counts. Needs the work folder of
``make_genome_models.py``; rows whose models are not there are left out. ``each arm alone`` is the pair of ends of the
highest log probability on each arm, with nothing said of lengths, overhangs and the terminal loop. Some 30 s.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from arm_heads import Heads, heads_of, hits, overhangs_of
from genome_runs import CHR20, RUNS, WORK, Part, Work, scores_path
from genome_scores import annotated, tests_of, unkeyed
from harness import write_result
from mirsweep.jobs.results.compare import match
from mirsweep.jobs.training.examples import TEXT_COLUMNS
from mirsweep.jobs.training.precursors import read_precursors
from mirsweep.model import load_model
from mirsweep.model.arms import OVERHANG_NT, ArmWeights, Decoded, decode_arms, decode_ends, read_arm_weights
from mirsweep.model.threads import one_thread

ROWS = (
    "C. elegans X, no C. elegans in training",
    "human chr20, no human sequence nor any homologue of its loci",
    "Epstein-Barr virus, no homologue of its loci",
    "Arabidopsis 1, no Arabidopsis nor any homologue of its loci",
)
"""Of ``genome_scores.ROWS``."""
COST_PART = Part(CHR20)
_N_TIMED = 10_000
_BINS = (0.0, 0.5, 0.7, 0.9, 1.01)
ALONE = ArmWeights(np.zeros(9), np.zeros(1), np.zeros(5), 0.0, 0.5, 1.0)
"""Weights that leave each arm to itself."""


def best_candidates(
    work: Work, name: str, part: Part, matures: dict[str, tuple[str, ...]]
) -> tuple[pa.Table, list[tuple[str, ...]]]:
    """The best-scored candidate of each of miRBase's precursors on a part, and the annotated mature sequences."""
    columns = ["contig", "start", "end", "strand", "loop_start", "loop_end", *TEXT_COLUMNS]
    table = work.candidates(part, RUNS[name].kingdom, columns)
    table = table.cast(unkeyed(table.schema))
    scores = np.load(scores_path(work, name, part))
    loci = annotated(work, [(name, part)], "mirbase_v22")
    pairs = match(table, loci)
    found: dict[tuple[str, ...], int] = {}
    for k, locus in enumerate(loci):
        rows = pairs[pairs[:, 1] == k, 0]
        if len(rows) and locus.name in matures:
            found.setdefault(matures[locus.name], rows[np.argmax(scores[rows])])
    return table.take(list(found.values())), list(found)


def known_spans(sequences: list[str], matures: list[tuple[str, ...]]) -> np.ndarray:
    """Annotated start and end on the 5' arm, then on the 3' arm, of hairpins; -1 for none; int64, shape (n, 4)."""
    spans = np.full((len(sequences), 4), -1, np.int64)
    for own, sequence, annotated_here in zip(spans, sequences, matures, strict=True):
        for mature in annotated_here:
            start = sequence.find(mature)
            if start >= 0:
                first = 2 * (2 * start + len(mature) > len(sequence))
                own[first : first + 2] = start, start + len(mature)
    return spans


class Measured:
    """The hairpins of a row: heads, terminal loops (n, 2) and annotated mature sequences (n, 4)."""

    def __init__(self, work: Work, row: str, matures: dict[str, tuple[str, ...]]):
        self.parts: list[Heads] = []
        loops, spans = [], []
        for name, part in tests_of(row):
            table, annotated_here = best_candidates(work, name, part, matures)
            texts = [table[column].to_pylist() for column in TEXT_COLUMNS]
            self.parts.append(heads_of(load_model(work.folder / f"{name}.safetensors"), texts))
            loops.append(np.column_stack([table["loop_start"].to_numpy(), table["loop_end"].to_numpy()]))
            spans.append(known_spans(texts[0], annotated_here))
        self.loops, self.spans = np.concatenate(loops), np.concatenate(spans)

    def decoded(self, weights: ArmWeights, *, is_loop_free: bool = True) -> Decoded:
        """The predicted ends; ``is_loop_free`` keeps them out of the terminal loop."""
        loops = [part.n_loop if is_loop_free else np.zeros_like(part.n_loop) for part in self.parts]
        found = [decode_ends(p.places, loop, p.ends, weights) for p, loop in zip(self.parts, loops, strict=True)]
        return Decoded(*(np.concatenate(columns) for columns in zip(*found, strict=True)))

    def ends(self, decoded: Decoded) -> dict[str, Any]:
        """How near the predicted ends are, and what they look like."""
        shares = {
            f"{end}_{word}": float(values.mean())
            for word, within in (("exact", 0), ("within_2_nt", 2))
            for end, values in zip(("start", "end"), hits(decoded, self.spans, within), strict=True)
        }
        spans = decoded.spans.astype(np.int64)
        both, has = (spans >= 0).all(1), spans[:, [0, 2]] >= 0
        bounds = np.cumsum([0, *(len(part.n_loop) for part in self.parts)])
        overhangs = [
            overhangs_of(part.take(both[a:b]), spans[a:b][both[a:b]])
            for part, a, b in zip(self.parts, bounds[:-1], bounds[1:], strict=True)
        ]
        reaches = np.column_stack([spans[:, 1] > self.loops[:, 0], spans[:, 2] < self.loops[:, 1]]) & has
        return shares | {
            "overhang_of_2_nt": float((np.concatenate(overhangs) == OVERHANG_NT).mean()),
            "reaches_into_loop": float(reaches.sum() / has.sum()),
        }

    def arms(self) -> dict[str, Any]:
        """Confidences of the 5' ends beside what is right, and of the mature arm."""
        found = [decode_arms(*part) for part in self.parts]
        is_5p, is_stated, sure5, sure3 = (
            np.concatenate([getattr(arms, name) for arms in found])
            for name in ("is_5p", "is_stated", "confidence_5p", "confidence_3p")
        )
        decoded = self.decoded(read_arm_weights())
        confidence = np.concatenate([own[self.spans[:, k] >= 0] for own, k in ((sure5, 0), (sure3, 2))])
        is_right, _ = hits(decoded, self.spans, 2)
        one = (self.spans[:, 0] >= 0) != (self.spans[:, 2] >= 0)
        is_arm_right = is_5p[one] == (self.spans[one, 0] >= 0)
        return {
            "confidence": calibration(np.nan_to_num(confidence), is_right),
            "n_with_one_arm_annotated": int(one.sum()),
            "arm_right": share(is_arm_right),
            "n_stated": int(is_stated[one].sum()),
            "arm_right_where_stated": share(is_arm_right[is_stated[one]]),
        }


def share(values: np.ndarray) -> float | None:
    """Mean, None of nothing."""
    return float(values.mean()) if values.size else None


def calibration(confidence: np.ndarray, is_right: np.ndarray) -> dict[str, Any]:
    """Mean confidence and share that is right, in all and by ranges of the confidence; the Brier score."""
    ranges = {}
    for low, high in pairwise(_BINS):
        own = (confidence >= low) & (confidence < high)
        ranges[f"{low:g} to {min(high, 1):g}"] = {
            "n": int(own.sum()),
            "mean_confidence": share(confidence[own]),
            "right": share(is_right[own]),
        }
    return {
        "mean": float(confidence.mean()),
        "right": float(is_right.mean()),
        "brier": float(np.mean((confidence - is_right) ** 2)),
        "ranges": ranges,
    }


def measured(work: Work, row: str, matures: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Figures of a row."""
    hairpins = Measured(work, row, matures)
    return {
        "n_mature": int((hairpins.spans[:, [0, 2]] >= 0).sum()),
        "each arm alone": hairpins.ends(hairpins.decoded(ALONE, is_loop_free=False)),
        "both arms together": hairpins.ends(hairpins.decoded(read_arm_weights())),
    } | hairpins.arms()


def ends_table(rows: dict[str, Any]) -> str:
    """Ends found, each arm alone and both together, as in docs/genome.md."""
    columns = {
        "5' end exact": "start_exact",
        "within 2 nt": "start_within_2_nt",
        "3' end exact": "end_exact",
        "within 2 nt ": "end_within_2_nt",
        "overhang of 2 nt": "overhang_of_2_nt",
    }
    lines = [["chromosome", "mature sequences", *(name.strip() for name in columns)], ["---"] * (len(columns) + 2)]
    for row, found in rows.items():
        alone, together = found["each arm alone"], found["both arms together"]
        shares = [f"{together[name]:.2f} ({alone[name]:.2f})" for name in columns.values()]
        lines.append([row, str(found["n_mature"]), *shares])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def confidence_table(rows: dict[str, Any]) -> str:
    """Share of right 5' ends by confidence, and of right arms, as in docs/genome.md."""
    ranges = list(next(iter(rows.values()))["confidence"]["ranges"])
    lines = [["chromosome", *ranges, "arm right", "where stated"], ["---"] * (len(ranges) + 3)]
    for row, found in rows.items():
        own = found["confidence"]["ranges"]
        right = [of(own[name]["right"], own[name]["n"]) for name in ranges]
        arm = of(found["arm_right"], found["n_with_one_arm_annotated"])
        lines.append([row, *right, arm, of(found["arm_right_where_stated"], found["n_stated"])])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def of(right: float | None, n: int) -> str:
    """A share and of how many."""
    return "-" if right is None else f"{right:.2f} of {n}"


def cost(work: Work) -> dict[str, float]:
    """Microseconds that a candidate of a scan costs, one thread: the network, and the decoding of its heads."""
    table = work.candidates(COST_PART, "animal", list(TEXT_COLUMNS))
    table = table.take(np.sort(np.random.default_rng(0).choice(table.num_rows, _N_TIMED, replace=False)))
    texts, model = [table[column].to_pylist() for column in TEXT_COLUMNS], load_model("genome")
    with one_thread():
        heads = heads_of(model, texts)
        decode_arms(*heads.take(np.arange(1)))
        begun = time.perf_counter()
        heads_of(model, texts)
        read = time.perf_counter()
        decode_arms(*heads)
        decoded = time.perf_counter()
    return {"network": (read - begun) / _N_TIMED * 1e6, "decoding": (decoded - read) / _N_TIMED * 1e6}


def main() -> None:
    """Measure all rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    work = Work(parser.parse_args().work)
    known = read_precursors(work.data / "hairpins" / "mirbase_v22.tsv.gz")
    matures = {p.name: tuple(p.sequence[a:b] for a, b in (p.arms[:2], p.arms[2:]) if a >= 0) for p in known}
    done = [row for row in ROWS if all(scores_path(work, *test).is_file() for test in tests_of(row))]
    rows = {row: measured(work, row, matures) for row in done}
    print("\n\n".join([ends_table(rows), confidence_table(rows)]))
    command = "python benchmarks/make_arms.py && python benchmarks/measure_arms.py"
    write_result("arms", {"command": command, "rows": rows, "microseconds_a_candidate": cost(work)})


if __name__ == "__main__":
    main()
