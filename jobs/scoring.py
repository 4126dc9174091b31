"""Scores of given sequences."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from mirsweep.jobs.threads import one_thread
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Record, read_sequences
from mirsweep.scanner.fold import fold

if TYPE_CHECKING:
    from mirsweep.model import Model

__all__ = ["SCORE_SCHEMA", "checked_sequences", "score", "score_batches"]

SCORE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("score", pa.float32()),
        ("mfe", pa.float32()),
        ("structure", pa.string()),
        ("length", pa.int32()),
    ]
)
_BATCH = 1024


def score(sequences: str | os.PathLike, *, model: str | os.PathLike = "paper-cross", device: str = "auto") -> pa.Table:
    """Fold and score the sequences of a FASTA file, each taken as one hairpin.

    Parameters
    ----------
    sequences
        FASTA, plain or gzip; RNA or DNA letters.
    model
        Name of bundled weights, or path of a weights file.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.

    Returns
    -------
    Columns id, score (probability of pre-miRNA), mfe (kcal/mol), structure, length (nt); rows in the file's order.

    Raises
    ------
    InputError, ModelError
        If the file or the model is bad, or a sequence holds other letters than ACGTU or is too long for the model.
    """
    return pa.Table.from_batches(score_batches(sequences, model=model, device=device), schema=SCORE_SCHEMA)


def score_batches(sequences: str | os.PathLike, *, model: str | os.PathLike, device: str) -> Iterator[pa.RecordBatch]:
    """The same, some rows at a time; whatever is bad is found before the first."""
    from mirsweep.model import load_model

    path = Path(sequences)
    records = read_sequences(path)
    scorer = load_model(model, device=device)
    rna = checked_sequences(path, records, longest=scorer.max_length)
    starts = range(0, len(records), _BATCH)
    return (_score(records[i : i + _BATCH], rna[i : i + _BATCH], scorer) for i in starts)


def _score(records: list[Record], rna: list[str], scorer: "Model") -> pa.RecordBatch:
    folded = fold(rna)
    with one_thread():
        scores = scorer.score(rna, folded.structures)
    columns = ([r.id for r in records], scores, folded.energies, folded.structures, [len(s) for s in rna])
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCORE_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCORE_SCHEMA)


def checked_sequences(path: Path, records: list[Record], *, longest: int) -> list[str]:
    """RNA of the records, upper case.

    Raises
    ------
    InputError
        If one holds letters that cannot be folded or is longer than ``longest`` nt.
    """
    rna = [record.sequence.upper().replace("T", "U") for record in records]
    for record, sequence in zip(records, rna, strict=True):
        odd = sorted(set(sequence) - set("ACGU"))
        if odd:
            raise InputError(
                f"{path}: record {record.id!r} holds {', '.join(odd)}: only A, C, G, T and U can be scored; mend or "
                "remove it."
            )
        if len(sequence) > longest:
            raise InputError(
                f"{path}: record {record.id!r} has {len(sequence)} nt, but the model scores at most {longest}: cut it "
                "into hairpins, or scan it (mirsweep scan)."
            )
    return rna
