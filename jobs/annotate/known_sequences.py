"""Known miRNAs from the FASTA files that a user has: miRBase's mature.fa and hairpin.fa, MirGeneDB's."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mirsweep.jobs.annotate.record_names import RecordName, parse_name
from mirsweep.jobs.results.messages import warn
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import read_sequences

__all__ = ["KnownSequences", "Sequences", "join_sequences", "read_known_sequences"]

_SHORTEST_MATURE, _LONGEST_MATURE = 15, 34
_SHORTEST_HAIRPIN = 36
_CURATED_ARM_NT = 22
"""MirGeneDB's precursors begin and end with their mature sequences; so many bases are taken for them, nt."""


class Sequences(NamedTuple):
    """Base codes of several sequences in one array, with letters that match none before, between and after them.

    Attributes
    ----------
    codes
        uint8, shape (total,).
    starts, ends
        Of each within ``codes``, int64, shape (n,).
    """

    codes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class Distinct(NamedTuple):
    """Distinct sequences, and the names of each."""

    sequences: list[str]
    names: list[list[str]]


@dataclass(frozen=True)
class KnownSequences:
    """Known mature sequences and hairpins, each distinct sequence once.

    Attributes
    ----------
    matures, hairpins
        RNA and the names of the records that have it.
    parsed
        Each name, taken apart.
    """

    matures: Distinct
    hairpins: Distinct
    parsed: dict[str, RecordName]

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a mature sequence nor a hairpin."""
        return not (self.matures.sequences or self.hairpins.sequences)


def read_known_sequences(
    mature: Iterable[str | os.PathLike] = (), hairpin: Iterable[str | os.PathLike] = ()
) -> KnownSequences:
    """Known miRNAs of FASTA files, plain or packed.

    Parameters
    ----------
    mature
        Files of mature sequences.
    hairpin
        Files of precursors. Those of MirGeneDB, told by their names, give the mature sequences of their ends too.

    Raises
    ------
    InputError
        If a file cannot be read, a record has no sequence, or no record of a file can be what it should be.
    """
    matures = [record for path in mature for record in _read(path, _SHORTEST_MATURE, _LONGEST_MATURE, "mature miRNA")]
    hairpins = [record for path in hairpin for record in _read(path, _SHORTEST_HAIRPIN, 2000, "precursor")]
    parsed = {name: parse_name(name) for name, _ in [*matures, *hairpins]}
    for name, sequence in hairpins:
        if parsed[name].is_mirgenedb:
            for arm, cut in (("5p", sequence[:_CURATED_ARM_NT]), ("3p", sequence[-_CURATED_ARM_NT:])):
                matures.append((f"{name.removesuffix('_pre')}_{arm}", cut))
                parsed[matures[-1][0]] = parsed[name]
    return KnownSequences(_distinct(matures), _distinct(hairpins), parsed)


def _read(path: str | os.PathLike, shortest: int, longest: int, what: str) -> list[tuple[str, str]]:
    found, n_other, n_length = [], 0, 0
    for record in read_sequences(path):
        sequence = record.sequence.replace("T", "U")
        if set(sequence) - set("ACGU"):
            n_other += 1
        elif not shortest <= len(sequence) <= longest:
            n_length += 1
        else:
            found.append((record.id, sequence))
    why = f"{n_other} with other letters than ACGTU, {n_length} not of {shortest} to {longest} nt"
    if not found:
        raise InputError(f"{path}: has no record that can be a {what} ({why}): give RNA or DNA, one record a {what}.")
    if n_other + n_length:
        warn(f"{path}: {n_other + n_length} records are left out ({why}).")
    return found


def _distinct(records: Sequence[tuple[str, str]]) -> Distinct:
    by_sequence: dict[str, dict[str, None]] = {}
    for name, sequence in records:
        by_sequence.setdefault(sequence, {})[name] = None
    return Distinct(list(by_sequence), [list(names) for names in by_sequence.values()])


def join_sequences(sequences: Sequence[str], *, gap: int = 1) -> Sequences:
    """Base codes of sequences in one array.

    Parameters
    ----------
    gap
        Letters that match none before, between and after the sequences.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    starts = gap + np.concatenate([[0], np.cumsum(lengths + gap)[:-1]]) if len(sequences) else lengths
    text = ("N" * gap).join(["", *sequences, ""]).encode()
    return Sequences(encode(text), starts.astype(np.int64), starts.astype(np.int64) + lengths)
