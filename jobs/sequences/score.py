"""Scores of given sequences."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from mirsweep.jobs.results.predicted import predicted_table
from mirsweep.model.defaults import DEFAULT_MODEL
from mirsweep.model.threads import one_thread
from mirsweep.scanner.candidates import ARM_COLUMNS, PREDICTED_SCHEMA
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Record, read_sequences
from mirsweep.scanner.fold import fold

if TYPE_CHECKING:
    from mirsweep.model import Prediction, Scorer

__all__ = ["SCORE_SCHEMA", "SHORTEST_NT", "checked_sequences", "score", "score_batches"]

SCORE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("score", pa.float32()),
        ("mfe", pa.float32()),
        ("structure", pa.string()),
        ("length", pa.int32()),
    ]
)
"""Columns of the scores of any model; what else the model predicts comes after them, and the model's label last."""
SHORTEST_NT = 35
"""Mature sequence and star of 16 nt each and a loop of 3: no pre-miRNA has less. miRBase's shortest has 39 nt."""
_MODEL = pa.field("model", pa.string())
_BATCH = 1024
Hairpins = str | os.PathLike | Sequence[str] | Mapping[str, str]
"""A FASTA file; or the sequences themselves, in order or by name."""


def score(sequences: Hairpins, *, model: str | os.PathLike = DEFAULT_MODEL, device: str = "auto") -> pa.Table:
    """Fold and score sequences, each taken as one hairpin.

    Parameters
    ----------
    sequences
        Path of a FASTA file, plain or packed, or ``-`` for standard input; or the sequences themselves, a list of them
        (named ``1``, ``2``, ...) or a mapping from names. RNA or DNA letters.
    model
        Name of bundled weights, or path of a weights file; by default that of a scan.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.

    Returns
    -------
    Columns id, score (probability of pre-miRNA), mfe (kcal/mol), structure, length (nt); from a calibrated model also
    expected_fp_per_mb, and from one that predicts mature sequences mature_start, mature_end, star_start, star_end, arm,
    mature, arm_confidence, arm_5p_confidence and arm_3p_confidence, as in a scan; last the model's name and digest.
    Rows in the order of the sequences.

    Raises
    ------
    InputError, ModelError
        If the file or the model is bad, or a sequence holds other letters than ACGTU, has fewer than ``SHORTEST_NT`` or
        is too long for the model.
    """
    return score_batches(sequences, model=model, device=device).read_all()


def score_batches(sequences: Hairpins, *, model: str | os.PathLike, device: str) -> pa.RecordBatchReader:
    """The same, some rows at a time; whatever is bad is found before the first."""
    from mirsweep.model import load_model

    source, records = _records_of(sequences)
    scorer = load_model(model, device=device)
    rna = checked_sequences(source, records, longest=scorer.max_length)
    schema = _schema_of(scorer.predict([], []))  # empty, but with the fields that this model gives
    starts = range(0, len(records), _BATCH)
    batches = (_score(records[i : i + _BATCH], rna[i : i + _BATCH], scorer, schema) for i in starts)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _records_of(sequences: Hairpins) -> tuple[Path | str, list[Record]]:
    """Where the sequences come from, for messages, and they themselves."""
    if isinstance(sequences, str) and not set(sequences.upper()) - set("ACGTU") and not Path(sequences).exists():
        raise InputError(f"{sequences[:60]}: a file is expected: give a single sequence in a list.")
    if isinstance(sequences, str | os.PathLike):
        return Path(sequences), read_sequences(sequences)
    named = sequences if isinstance(sequences, Mapping) else {str(i): each for i, each in enumerate(sequences, 1)}
    for name, each in named.items():
        if not isinstance(each, str):
            raise InputError(f"the sequences given: {name!r} is no text but {type(each).__name__}: give its letters.")
    return "the sequences given", [Record(str(name), each) for name, each in named.items()]


def _schema_of(prediction: "Prediction") -> pa.Schema:
    """The columns of what a model predicts, whatever the hairpins."""
    names = []
    if prediction.expected_fp_per_mb is not None:
        names.append("expected_fp_per_mb")
    if prediction.arms is not None:
        names += ARM_COLUMNS
    return pa.schema([*SCORE_SCHEMA, *(PREDICTED_SCHEMA.field(name) for name in names), _MODEL])


def _score(records: list[Record], rna: list[str], scorer: "Scorer", schema: pa.Schema) -> pa.RecordBatch:
    folded = fold(rna)
    with one_thread():
        predicted = predicted_table(scorer.predict(rna, folded.structures)).combine_chunks()
    columns = dict(zip(predicted.schema.names, (column.chunk(0) for column in predicted.columns), strict=True))
    columns |= {
        "id": [r.id for r in records],
        "mfe": folded.energies,
        "structure": folded.structures,
        "length": [len(s) for s in rna],
        "model": [scorer.label] * len(rna),
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def checked_sequences(path: Path | str, records: list[Record], *, longest: int) -> list[str]:
    """RNA of the records, upper case.

    Raises
    ------
    InputError
        If one holds letters that cannot be folded, is longer than ``longest`` nt, or too short to be a hairpin.
    """
    rna = [record.sequence.upper().replace("T", "U") for record in records]
    for record, sequence in zip(records, rna, strict=True):
        odd = sorted(set(sequence) - set("ACGU"))
        if odd:
            raise InputError(
                f"{path}: record {record.id!r} holds {', '.join(odd)}: only A, C, G, T and U can be scored; fix or "
                "remove it."
            )
        if len(sequence) < SHORTEST_NT:
            raise InputError(
                f"{path}: record {record.id!r} has {len(sequence)} nt, but the shortest hairpin that can be scored has "
                f"{SHORTEST_NT}: remove it, or give the whole hairpin."
            )
        if len(sequence) > longest:
            raise InputError(
                f"{path}: record {record.id!r} has {len(sequence)} nt, but the model scores at most {longest}: cut it "
                "into hairpins, or scan it (mirsweep scan)."
            )
    return rna
