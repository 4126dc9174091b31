"""Artificial inverted and tandem repeats as negatives: genomes hold many that are no pre-miRNAs, each its own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.overlap import lies_on_repeat
from mirsweep.jobs.training.examples import ExampleFacts, assemble
from mirsweep.jobs.training.plant import GenomicSequence, Inserted, insert
from mirsweep.scanner.alphabet import reverse_complement

__all__ = ["inverted_repeats", "tandem_repeats"]

_LONG_SHARE = 0.7
_LONG_NT, _SHORT_NT = (38, 150), (18, 45)
"""Lengths of an arm, nt, the last one excluded: up to those of transposons' terminal repeats, or a precursor's."""
_LOOP_NT = (3, 60)
"""Genome between the arms, nt, the last one excluded; three is the least that a hairpin loop can have."""
_LONG_RATES, _SHORT_RATES = (0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2), (0, 0.01, 0.03)
"""Rates of changed bases, from a fresh repeat to an old one; short arms with more would be no candidates."""
_UNIT_NT, _ARRAY_NT = (2, 13), (50, 220)
"""Lengths of a tandem repeat's unit and of the whole, nt, the last one excluded."""
_ARRAY_RATES = (0, 0.01, 0.03, 0.06, 0.1)
_PALINDROMIC_SHARE, _FACING_SHARE, _FACING_LOOP_NT = 0.35, 0.25, (3, 30)
"""Arrays of a unit and its reverse complement, arrays that face an inverted one, and what lies between these, nt."""
_TANDEM_WEIGHT = 0.3
"""How often one is drawn, relative to a hairpin of a genome: genomes hold fewer of them than the examples do."""
_INDEL_SHARE = 1 / 8
"""Bases lost, and as many inserted, for each changed base."""


def inverted_repeats(genomes: Sequence[Path], *, n: int, preset: str = "animal", seed: int = 0) -> pa.Table:
    """Artificial inverted repeats, inserted into genomic sequence and scanned.

    An arm of genome is followed by 3 to 59 nt of genome and by its own reverse complement, mutated. Seven of ten
    have arms of 38 to 149 nt and 0 to 20 % of changes, the others arms of 18 to 44 nt and at most 3 %.

    Parameters
    ----------
    genomes
        FASTA files.
    n
        Repeats to make; some give no candidate, some give several.
    preset
        Preset of the scan.
    seed
        Random seed.

    Returns
    -------
    ``EXAMPLE_SCHEMA``: the candidates that lie on the repeats (0.6 of them at least), labelled false.
    """
    rng = np.random.default_rng(seed)
    genome = GenomicSequence(genomes, rng)
    inserted = insert([_repeat(genome, rng) for _ in range(n)], genome, preset=preset)
    table = inserted.candidates.filter(_on_repeats(inserted))
    return assemble(table, ExampleFacts.plain(table.num_rows, label=False, source="inverted repeat"))


def tandem_repeats(genomes: Sequence[Path], *, n: int, preset: str = "animal", seed: int = 0) -> pa.Table:
    """Artificial tandem repeats, as simple repeats and microsatellites are, inserted into genomic sequence and scanned.

    A unit of 2 to 12 nt of genome is repeated along 50 to 219 nt, with up to 10 % of changes. In 35 of 100 the unit is
    followed by its own reverse complement, in 25 of 100 an array faces an inverted one.

    Parameters and result as of ``inverted_repeats``.
    """
    rng = np.random.default_rng(seed)
    genome = GenomicSequence(genomes, rng)
    inserted = insert([_array(genome, rng) for _ in range(n)], genome, preset=preset)
    table = inserted.candidates.filter(_on_repeats(inserted))
    return assemble(
        table, ExampleFacts.plain(table.num_rows, label=False, source="tandem repeat", weight=_TANDEM_WEIGHT)
    )


def _array(genome: GenomicSequence, rng: np.random.Generator) -> np.ndarray:
    """Base codes of one tandem repeat."""
    unit, kind = genome.piece(int(rng.integers(*_UNIT_NT))), rng.random()
    length, rate = int(rng.integers(*_ARRAY_NT)), float(rng.choice(_ARRAY_RATES))
    if kind < _PALINDROMIC_SHARE:
        unit = np.concatenate([unit, reverse_complement(unit)])
    array = np.tile(unit, length // unit.size + 1)[:length]
    if _PALINDROMIC_SHARE <= kind < _PALINDROMIC_SHARE + _FACING_SHARE:
        arm = array[: length // 2]
        array = np.concatenate([arm, genome.piece(int(rng.integers(*_FACING_LOOP_NT))), reverse_complement(arm)])
    return _mutated(array, rate, rng)


def _repeat(genome: GenomicSequence, rng: np.random.Generator) -> np.ndarray:
    """Base codes of one inverted repeat."""
    is_long = rng.random() < _LONG_SHARE
    length = int(rng.integers(*(_LONG_NT if is_long else _SHORT_NT)))
    rate = float(rng.choice(_LONG_RATES if is_long else _SHORT_RATES))
    arm = genome.piece(length)
    back = _mutated(reverse_complement(arm), rate, rng)
    return np.concatenate([arm, genome.piece(int(rng.integers(*_LOOP_NT))), back])


def _on_repeats(inserted: Inserted) -> np.ndarray:
    """Which candidates lie on the repeat that they begin before the end of; bool, shape (n,)."""
    starts, ends = (inserted.candidates[name].to_numpy() for name in ("start", "end"))
    piece = np.minimum(np.searchsorted(inserted.ends, starts, side="right"), len(inserted.ends) - 1)
    return lies_on_repeat(starts, ends, inserted.starts[piece], inserted.ends[piece])


def _mutated(codes: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Bases drawn anew at a rate, and an eighth of it each lost and inserted."""
    out = np.where(rng.random(codes.size) < rate, rng.integers(0, 4, codes.size), codes).astype(np.uint8)
    inserted = np.flatnonzero(rng.random(codes.size) < rate * _INDEL_SHARE)
    out = np.insert(out, inserted, rng.integers(0, 4, inserted.size))
    return out[rng.random(out.size) >= rate * _INDEL_SHARE].astype(np.uint8)
