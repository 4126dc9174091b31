"""Fit the gate before folding: precursors inserted into a genome and bounded by the prefilter, against a genome's own.

    python benchmarks/make_stem_gate.py animal

Writes that gate's part of scanner/stemgates.safetensors; takes a minute. Positives and negatives are the stem filter's
(``make_stem_filter``). A negative's target is the probability that the filter gives its folded stem, so that the gate
learns what folding would say. The threshold loses ``LOST`` of the precursors that the filter lets through, each judged
by a gate that was fitted without its family.
"""

import argparse
import zlib
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from safetensors.numpy import save_file

from harness import find_data
from insertion import features_of, insert_between, rows_recovering, scan_whole
from make_stem_filter import LIMIT, SAMPLES, pieces, precursors, touching_known
from mirsweep.jobs.training.precursors import family_of
from mirsweep.model.schedule import one_cycle
from mirsweep.scanner import open_genome
from mirsweep.scanner import stemfilter as folded
from mirsweep.scanner._stemfilter_weights import WEIGHTS
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.params import ScanParams, preset_params
from mirsweep.scanner.stemgate import GATES, Gate, describe_stem_loops, find_stem_loops, read_gates, score_stem_loops

LOST = 0.005
N_PARTS = 5
N_UNITS = 24
N_NEGATIVES = 20_000
"""Of each sample."""
N_EPOCHS, BATCH, PEAK, DECAY = 12, 256, 6e-3, 1e-3


class Hairpins(NamedTuple):
    """Features before folding, float32, shape (n, 68), and the stem filter's log odds after it, float64, shape (n,)."""

    features: np.ndarray
    log_odds: np.ndarray

    def take(self, rows: np.ndarray) -> "Hairpins":
        """Some of them."""
        return Hairpins(self.features[rows], self.log_odds[rows])


def described(bases: bytes, table: pa.Table, kind: str) -> Hairpins:
    """Candidates of the forward strand of a sequence, without flanks."""
    codes = encode(bases)
    starts, ends, penalised = (table[name].to_numpy() for name in ("start", "end", "penalised"))
    found = find_stem_loops(codes, starts, ends)
    features = describe_stem_loops(codes, starts, ends, found, penalised)
    return Hairpins(features, folded.score_stems(features_of(table), WEIGHTS[kind]))


def negatives(params: ScanParams, kind: str, rng: np.random.Generator) -> Hairpins:
    """Hairpins of genomes, those that touch a known locus left out."""
    parts = []
    for stem, start, end in SAMPLES:
        folder = find_data() / "genomes"
        genome = open_genome(folder / f"{stem}.fa.gz")
        bases = genome.fetch(genome.contigs[0].name, start, end)
        table = scan_whole(bases, params)
        rows = np.flatnonzero(~touching_known(table, folder / f"{stem}.mirbase_v22.gff3", start))
        parts.append(described(bases, table, kind).take(rng.permutation(rows)[:N_NEGATIVES]))
    return Hairpins(*map(np.concatenate, zip(*parts, strict=True)))


class Positives(NamedTuple):
    """Hairpins that recover an inserted precursor and pass the stem filter.

    Attributes
    ----------
    features
        float32, shape (n, 68).
    owners
        Which precursor, int64, shape (n,).
    weights
        Sum to 1 for each precursor, float64, shape (n,).
    parts
        Which of ``N_PARTS`` its family falls into, int64, shape (n,).
    """

    features: np.ndarray
    owners: np.ndarray
    weights: np.ndarray
    parts: np.ndarray

    def take(self, rows: np.ndarray) -> "Positives":
        """Some of them."""
        return Positives(*(column[rows] for column in self))


def positives(params: ScanParams, kind: str, rng: np.random.Generator) -> Positives:
    """Precursors inserted into a genome."""
    folder = find_data()
    genome = open_genome(folder / "genomes" / f"{'ath_TAIR10_chr1' if kind == 'plant' else 'hsa_GRCh37_chr20'}.fa.gz")
    bases = genome.fetch(genome.contigs[0].name, 1_000_000, 15_000_000).replace(b"N", b"")
    names = precursors(folder / "hairpins", kind, rng)
    inserted = insert_between(list(names), pieces(bases, rng))
    table = scan_whole(inserted.bases, params)
    hairpins = described(inserted.bases, table, kind)
    passing = hairpins.log_odds >= WEIGHTS[kind].threshold
    by_precursor = [rows[passing[rows]] for rows in rows_recovering(table, inserted.places)]
    found = [(rows, name) for rows, name in zip(by_precursor, names.values(), strict=True) if rows.size]
    print(f"{len(found)} of {len(names)} inserted precursors recovered by rows that pass the stem filter")
    sizes = np.array([rows.size for rows, _ in found])
    parts = np.array([zlib.crc32(family_of(name).encode()) % N_PARTS for _, name in found])
    owners = np.repeat(np.arange(len(found)), sizes)
    rows = np.concatenate([rows for rows, _ in found])
    return Positives(hairpins.features[rows], owners, 1 / sizes[owners], parts[owners])


def fit(known: Positives, others: Hairpins) -> Gate:
    """A network of one hidden layer, both classes of equal weight; lets all pass."""
    features = np.concatenate([known.features, others.features])
    centre, scale = features.mean(0), features.std(0) + np.float32(1e-3)
    inputs = torch.from_numpy(np.clip((features - centre) / scale, -LIMIT, LIMIT))
    targets = torch.from_numpy(np.concatenate([np.ones(len(known.features)), 1 / (1 + np.exp(-others.log_odds))]))
    shares = np.concatenate(
        [known.weights / known.weights.sum(), np.full(len(others.features), 1 / len(others.features))]
    )
    weights = torch.from_numpy(shares * len(shares) / 2)
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(inputs.shape[1], N_UNITS), torch.nn.ReLU(), torch.nn.Linear(N_UNITS, 1))
    optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK, weight_decay=DECAY)
    n_batches = len(inputs) // BATCH
    for step in range(N_EPOCHS * n_batches):
        if step % n_batches == 0:
            order = torch.randperm(len(inputs))
        rows = order[step % n_batches * BATCH :][:BATCH]
        rate, _ = one_cycle(step, N_EPOCHS * n_batches + 1, peak=PEAK)
        for group in optimiser.param_groups:
            group["lr"] = rate
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            net(inputs[rows])[:, 0].double(), targets[rows], reduction="none"
        )
        optimiser.zero_grad()
        (losses * weights[rows]).mean().backward()
        optimiser.step()
    hidden, last = net[0], net[2]
    tensors = (hidden.weight.T, hidden.bias, last.weight[0], last.bias)
    return Gate(centre, scale, *(each.detach().numpy().copy() for each in tensors), threshold=-np.inf)


def threshold_of(known: Positives, others: Hairpins) -> float:
    """Log odds that the best row of all but ``LOST`` of the precursors reaches, by gates fitted without its family."""
    best = np.full(known.owners.max() + 1, -np.inf)
    for part in range(N_PARTS):
        left_out = known.take(np.flatnonzero(known.parts == part))
        gate = fit(known.take(np.flatnonzero(known.parts != part)), others)
        np.maximum.at(best, left_out.owners, score_stem_loops(left_out.features, gate))
    return round(float(np.quantile(best, LOST)), 3)


def fit_kind(kind: str) -> Gate:
    """The gate of one stem filter."""
    rng = np.random.default_rng(1)
    params = preset_params(kind, stem_filter="none", strand="+", flank=0)
    known, others = positives(params, kind, rng), negatives(params, kind, rng)
    gate = fit(known, others)._replace(threshold=threshold_of(known, others))
    kept = score_stem_loops(others.features, gate) >= gate.threshold
    filtered = others.log_odds >= WEIGHTS[kind].threshold
    print(f"{kept.mean():.3f} of the negatives pass; of those that the filter lets through {kept[filtered].mean():.3f}")
    return gate


def main() -> None:
    """Fit a gate and write it beside the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(WEIGHTS))
    kind = parser.parse_args().kind
    torch.set_num_threads(1)
    gates = (read_gates() if GATES.is_file() else {}) | {kind: fit_kind(kind)}
    tensors = {
        f"{name}.{field}": np.atleast_1d(np.asarray(value, np.float32))
        for name, gate in sorted(gates.items())
        for field, value in gate._asdict().items()
    }
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, GATES)


if __name__ == "__main__":
    main()
