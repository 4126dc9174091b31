"""Fits what turns the networks' heads into mature sequences: ``model/arms.json``; some 30 s.

    python benchmarks/make_arms.py

Needs the work folder of ``make_genome_models.py``. Species that a held-out model has not seen are its examples:
miRBase's precursors of man, C. elegans and Arabidopsis, inserted into genome, without those that share 16 nt with a
precursor of the chromosomes that ``measure_arms.py`` measures. On half of the families the weights of lengths and
overhangs are chosen, on the other half the confidences are fitted.
"""

import argparse
import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from arm_heads import KnownArms, hits, overhangs_of, planted
from genome_runs import ATH, CHR20, EBV, WORK, Work, X
from harness import ROOT
from mirsweep.jobs.training.precursors import read_precursors
from mirsweep.model.arms import LENGTHS_NT, OVERHANG_NT, WITHIN_NT, ArmWeights, decode_ends, features_of

PATH = ROOT / "model" / "arms.json"
FITTED_ON = ("chr20-second", "elegans-out", "ath-second")
"""Runs of ``genome_runs.RUNS`` whose left-out species are the examples."""
MEASURED_ON = (X, CHR20, ATH, EBV)
"""Chromosomes that are kept for measuring."""
LENGTH_SCALES = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
OVERHANG_SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""What the log frequencies are multiplied by; at 1 an overhang weighs what its frequency among annotated pairs says."""
_FARTHEST = 6
"""Overhangs that differ by more columns from the usual one are all alike."""
LEAST_ARM_CONFIDENCE = 0.8
"""Probability from which on the mature arm is stated. A round number, chosen with ``arms_of_other_families`` in view:
of families that served for no fit 87 % of the arms are right then, 83 % if all that match are stated."""


class Choice(NamedTuple):
    """Scales of the log frequencies of lengths and overhangs, the share of ends found (exact and within 2 nt, both),
    what it is behind the best choice, and the standard error of that."""

    length_scale: float
    overhang_scale: float
    share: float
    behind: float
    error: float


def is_first_half(families: Sequence[str]) -> np.ndarray:
    """Which families choose the decoder, by a digest of their names; bool, shape (n,)."""
    return np.array([hashlib.sha256(family.encode()).digest()[0] % 2 == 0 for family in families])


def log_frequencies(values: np.ndarray, first: int, last: int) -> np.ndarray:
    """Logarithms of the frequencies of whole numbers in a range, the highest 0."""
    within = values[(values >= first) & (values <= last)]
    counts = np.bincount(within - first, minlength=last - first + 1) + 1.0
    return np.log(counts / counts.max())


def tables(parts: Sequence[KnownArms]) -> tuple[np.ndarray, np.ndarray]:
    """Log frequencies of lengths and overhangs of annotated mature sequences."""
    lengths, overhangs = [], []
    for part in parts:
        for k in (0, 2):
            own = part.spans[part.spans[:, k] >= 0]
            lengths.append(own[:, k + 1] - own[:, k])
        both = (part.spans >= 0).all(1)
        overhangs.append(overhangs_of(part.heads.take(both), part.spans[both]).ravel())
    bounds = (OVERHANG_NT - _FARTHEST, OVERHANG_NT + _FARTHEST)
    return log_frequencies(np.concatenate(lengths), *LENGTHS_NT), log_frequencies(np.concatenate(overhangs), *bounds)


def decoder(lengths: np.ndarray, overhangs: np.ndarray) -> ArmWeights:
    """Weights of which the ends alone are decoded."""
    return ArmWeights(lengths, overhangs, np.zeros(5), 0.0, 0.5, 1.0)


def found_by(parts: Sequence[KnownArms], weights: ArmWeights) -> list[np.ndarray]:
    """Of each annotated mature sequence of each species, how many of four are true: 5' end exact and near, 3' end
    exact and near."""
    decoded = [decode_ends(*part.heads[:3], weights) for part in parts]
    return [
        np.mean([hit for within in (0, WITHIN_NT) for hit in hits(own, part.spans, within)], axis=0)
        for own, part in zip(decoded, parts, strict=True)
    ]


def mean_and_error(by_species: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean, each species alike, and its standard error."""
    variance = sum(values.var() / len(values) for values in by_species)
    return float(np.mean([values.mean() for values in by_species])), float(np.sqrt(variance) / len(by_species))


def choose(parts: Sequence[KnownArms]) -> tuple[ArmWeights, list[Choice]]:
    """The decoder: of all that find as many ends as the best one, but for the standard error of the difference, the one
    that weighs overhangs most; of several, the best."""
    lengths, overhangs = tables(parts)
    scales = list(itertools.product(LENGTH_SCALES, OVERHANG_SCALES))
    found = [found_by(parts, decoder(one * lengths, other * overhangs)) for one, other in scales]
    best = max(found, key=lambda by_species: mean_and_error(by_species)[0])
    tried = []
    for (by_length, by_overhang), own in zip(scales, found, strict=True):
        behind, error = mean_and_error([b - o for b, o in zip(best, own, strict=True)])
        tried.append(Choice(by_length, by_overhang, mean_and_error(own)[0], behind, error))
    good = [choice for choice in tried if choice.behind <= choice.error]
    chosen = max(good, key=lambda choice: (choice.overhang_scale, choice.share))
    return decoder(chosen.length_scale * lengths, chosen.overhang_scale * overhangs), [chosen, *tried]


def fit_confidence(parts: Sequence[KnownArms], weights: ArmWeights) -> np.ndarray:
    """Weights of ``features_of``, and what is added; float64, shape (5,)."""
    features, is_right = [], []
    for part in parts:
        decoded = decode_ends(*part.heads[:3], weights)
        for row in range(2):
            uses = (part.spans[:, 2 * row] >= 0) & (decoded.spans >= 0).all(1)
            features.append(features_of(decoded.near[uses], row))
            is_right.append(np.abs(decoded.spans - part.spans)[uses, 2 * row] <= WITHIN_NT)
    model = LogisticRegression().fit(np.concatenate(features), np.concatenate(is_right))
    return np.append(model.coef_[0], model.intercept_)


def one_armed(parts: Sequence[KnownArms], *, is_matched: bool) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of the 5' arm and whether it is the one annotated, of precursors with a single annotated mature
    sequence, with or without a match to other species' mature sequences."""
    logits, is_5p = [], []
    for part in parts:
        has5, has3 = part.spans[:, 0] >= 0, part.spans[:, 2] >= 0
        uses = (has5 != has3) & (part.heads.is_matched == is_matched)
        logits.append(part.heads.arm_logits[uses])
        is_5p.append(has5[uses])
    return np.concatenate(logits), np.concatenate(is_5p)


def fit_arm(parts: Sequence[KnownArms]) -> dict[str, float]:
    """``arm`` and ``unmatched_arm``."""
    logits, is_5p = one_armed(parts, is_matched=True)
    model = LogisticRegression(fit_intercept=False).fit(logits[:, None], is_5p)
    others, is_other_5p = one_armed(parts, is_matched=False)
    shares = {"arm": float(model.coef_[0, 0]), "unmatched_arm": float(((others > 0) == is_other_5p).mean())}
    return {name: round(value, 4) for name, value in shares.items()}


def stated_elsewhere(parts: Sequence[KnownArms], fitted: dict[str, float]) -> dict[str, float]:
    """Arms of precursors whose families the fit has not seen: with a match how many, and stated; how many are right."""
    logits, is_5p = one_armed(parts, is_matched=True)
    others, is_other_5p = one_armed(parts, is_matched=False)
    is_stated = 1 / (1 + np.exp(-np.abs(logits) * fitted["arm"])) >= LEAST_ARM_CONFIDENCE
    return {
        "n_matched": len(logits),
        "matched_right": float(((logits > 0) == is_5p).mean()),
        "n_stated": int(is_stated.sum()),
        "right_where_stated": float(((logits > 0) == is_5p)[is_stated].mean()),
        "n_unmatched": len(others),
        "unmatched_right": float(((others > 0) == is_other_5p).mean()),
    }


def main() -> None:
    """Fit, and write what is bundled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    work = Work(parser.parse_args().work)
    folder = work.data / "hairpins"
    known = read_precursors(folder / "mirbase_v22.tsv.gz", folder / "mirgenedb_precursors.fa.gz")
    examples = [planted(work, name, known, MEASURED_ON) for name in FITTED_ON]
    halves = [is_first_half(part.families) for part in examples]
    first = [part.take(half) for part, half in zip(examples, halves, strict=True)]
    second = [part.take(~half) for part, half in zip(examples, halves, strict=True)]
    weights, (chosen, *tried) = choose(first)
    arm = fit_arm(second)
    content = {
        "command": "python benchmarks/make_arms.py",
        "fitted_on": {
            name: {"decoder": len(a.spans), "confidence": len(b.spans)}
            for name, a, b in zip(FITTED_ON, first, second, strict=True)
        },
        "chosen": chosen._asdict(),
        "tried": [choice._asdict() for choice in tried],
        "lengths": np.round(weights.lengths, 4).tolist(),
        "overhangs": np.round(weights.overhangs, 4).tolist(),
        "confidence": np.round(fit_confidence(second, weights), 4).tolist(),
    }
    content |= arm | {
        "least_arm_confidence": LEAST_ARM_CONFIDENCE,
        "arms_of_other_families": stated_elsewhere(first, arm),
    }
    PATH.write_text(json.dumps(content, indent=1) + "\n")
    print({name: value for name, value in content.items() if name != "tried"})


if __name__ == "__main__":
    main()
