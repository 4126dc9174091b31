"""Where a model looks: attention and class activation map of given sequences, or of a scan's best candidates."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.query import query
from mirsweep.jobs.results.stored import folder_to_read
from mirsweep.jobs.results.writers import candidate_id
from mirsweep.jobs.sequences.score import checked_sequences
from mirsweep.model.defaults import DEFAULT_MODEL
from mirsweep.model.errors import ModelError
from mirsweep.model.threads import one_thread
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.fold import fold

if TYPE_CHECKING:
    from mirsweep.model import Scorer

__all__ = ["EXPLAIN_SCHEMA", "as_text", "attention_by", "attention_of_rows", "explain", "explain_rows"]

EXPLAIN_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("score", pa.float32()),
        ("mfe", pa.float32()),
        ("sequence", pa.string()),
        ("structure", pa.string()),
        ("attention", pa.list_(pa.float32())),
        ("activation", pa.list_(pa.float32())),
        ("flank_attention", pa.float32()),
        ("flank_activation", pa.float32()),
        ("model", pa.string()),
    ]
)
_SHADES = " .:-=+*#%@"
_SAME_SCORE = 1e-4
"""Scores that differ by less are the same, computed on other hardware."""


class _Hairpins(NamedTuple):
    """Hairpins to explain; of a scan with their flanks, and the scores and the model's label of their rows."""

    ids: list[str]
    sequences: list[str]
    structures: list[str]
    energies: Sequence[float] | np.ndarray
    flanks: tuple[list[str], list[str]] | None = None
    scores: list[float] | None = None
    label: str | None = None


def explain(
    source: str | os.PathLike,
    *,
    model: str | os.PathLike | None = None,
    activation: str = "cam",
    region: str | None = None,
    limit: int | None = None,
    device: str = "auto",
) -> pa.Table:
    """Show where the model looks: attention and class activation map of each hairpin (paper, section 4.3).

    A scan's candidates are explained with their flanks by the model that scored them, so that what is shown belongs to
    the very scores of the rows.

    Parameters
    ----------
    source
        FASTA file, or output folder of a scan, of which the candidates of highest score are taken.
    model
        Name of bundled weights, or path of a weights file; it must have attention. By default the model that scored the
        scan, and for a file that of scans. Of a scan by another model the scores are this model's own, which is said on
        standard error.
    activation
        ``"cam"`` or ``"gradient"`` (see :func:`mirsweep.model.explain.explain`).
    region
        Of a scan: only candidates that overlap ``chr:start-end`` (see :func:`mirsweep.jobs.query`).
    limit
        At most so many hairpins: the first of a file, the best of a scan (10 of a scan by default).
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.

    Returns
    -------
    Columns id, score, mfe (kcal/mol), sequence, structure, attention (one value a nt), activation (one value a nt;
    above 0 speaks for a pre-miRNA), flank_attention and flank_activation (of the flanks as a whole; null where the
    model saw none), model. Attention, that of the flanks included, has the sum 1.

    Raises
    ------
    InputError, ModelError
        If the source or the model is bad, the model has no attention, or that of a scan is not at hand.
    """
    source = folder_to_read(source)
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, not {limit}.")
    if source.is_dir():
        rows = query(source, region=region, limit=limit or 10, sort="score")
        return explain_rows(source, rows, model=model, activation=activation, device=device)
    return _explained(*_of_file(source, region, limit, model or DEFAULT_MODEL, device), activation)


def explain_rows(
    output: str | os.PathLike,
    rows: pa.Table,
    *,
    model: str | os.PathLike | None = None,
    activation: str = "cam",
    device: str = "auto",
) -> pa.Table:
    """Show where the model looks in given candidates or loci of a scan, as :func:`explain` does.

    Parameters
    ----------
    output
        Output folder of the scan.
    rows
        Columns of candidates.

    Returns
    -------
    ``EXPLAIN_SCHEMA``, one row each, in their order.

    Raises
    ------
    InputError, ModelError
        If the model has no attention, or that of the scan is not at hand.
    """
    hairpins, output = _of_rows(rows), folder_to_read(output)
    scorer = _load_for_scan(output, hairpins.label, model, device)
    table = _explained(hairpins, scorer, activation)
    if hairpins.scores is not None and scorer.label == hairpins.label:
        _check_scores(output, hairpins.scores, table["score"].to_pylist())
    return table


def attention_by(scorer: "Scorer", rows: pa.Table) -> list[np.ndarray] | None:
    """Attention of the bases of each row by a model; shape (n,) each. None if the model has none.

    Parameters
    ----------
    rows
        Columns of candidates.
    """
    from mirsweep.model import GenomeModel

    if not rows.num_rows:
        return []
    if isinstance(scorer, GenomeModel):
        hairpins = _of_rows(rows)
        with one_thread():
            found = scorer.attention(hairpins.sequences, hairpins.structures, *(hairpins.flanks or ()))
        return [each.astype(float) for each in found]
    try:
        explained = _explained(_of_rows(rows), scorer, "cam")
    except ModelError:
        return None
    return [np.array(each, float) for each in explained["attention"].to_pylist()]


def attention_of_rows(output: str | os.PathLike, rows: pa.Table) -> list[np.ndarray] | None:
    """The same by the model that has scored the rows of a scan.

    Raises
    ------
    InputError, ModelError
        If that model is not at hand.
    """
    label = rows["model"][0].as_py() if rows.num_rows else None
    return attention_by(_load_for_scan(folder_to_read(output), label, None, "cpu"), rows)


def _explained(hairpins: _Hairpins, scorer: "Scorer", activation: str) -> pa.Table:
    from mirsweep.model.explain import explain as explain_hairpins

    flanks = hairpins.flanks or (None, None)
    with one_thread():
        found = explain_hairpins(scorer, hairpins.sequences, hairpins.structures, *flanks, activation=activation)
    columns = (
        hairpins.ids,
        [each.score for each in found],
        hairpins.energies,
        hairpins.sequences,
        hairpins.structures,
        [each.attention for each in found],
        [each.activation for each in found],
        [each.flank_attention or None for each in found],
        [each.flank_activation if each.flank_attention else None for each in found],
        [scorer.label] * len(found),
    )
    arrays = [pa.array(column, field.type) for column, field in zip(columns, EXPLAIN_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=EXPLAIN_SCHEMA)


def _of_file(
    source: Path, region: str | None, limit: int | None, model: str | os.PathLike, device: str
) -> tuple[_Hairpins, "Scorer"]:
    from mirsweep.model import load_model

    if region is not None:
        raise InputError(f"{source}: --region goes with the output folder of a scan, not with a file of sequences.")
    scorer = load_model(model, device=device)
    records = read_sequences(source)[:limit]
    rna = checked_sequences(source, records, longest=scorer.max_length)
    folded = fold(rna)
    return _Hairpins([record.id for record in records], rna, folded.structures, folded.energies), scorer


def _of_rows(table: pa.Table) -> _Hairpins:
    rows = table.to_pylist()
    names = ("sequence", "structure", "mfe", "flank_5p", "flank_3p", "score")
    sequences, structures, energies, flanks_5p, flanks_3p, scores = ([row[name] for row in rows] for name in names)
    has_flanks = None not in flanks_5p + flanks_3p
    label = rows[0]["model"] if rows else None
    flanks = (flanks_5p, flanks_3p) if has_flanks else None
    return _Hairpins([candidate_id(row) for row in rows], sequences, structures, energies, flanks, scores, label)


def _load_for_scan(source: Path, label: str | None, model: str | os.PathLike | None, device: str) -> "Scorer":
    """The model asked for, by default the one that gave the rows their scores."""
    from mirsweep.model import load_model

    if model is not None or label is None:
        scorer = load_model(model or DEFAULT_MODEL, device=device)
        if label not in (None, scorer.label):
            print(
                f"mirsweep: note: {source} was scored by {label}; the scores shown are those of {scorer.label}.",
                file=sys.stderr,
            )
        return scorer
    run = open_output(source).run or {}
    for place in (run.get("model", {}).get("weights"), label.rpartition(":")[0]):
        try:
            scorer = load_model(place or "", device=device)
        except ModelError:
            continue
        if scorer.label == label:
            return scorer
    raise InputError(
        f"{source}: the weights that scored it, {label}, are not where the scan found them: name their file with "
        "--model."
    )


def _check_scores(source: Path, expected: Sequence[float], found: Sequence[float]) -> None:
    """Say so where the rows, of another version of mirsweep say, hold other scores than those explained."""
    n_other = sum(abs(one - other) > _SAME_SCORE for one, other in zip(expected, found, strict=True))
    if n_other:
        print(
            f"mirsweep: warning: {source}: {n_other} of {len(found)} scores are not those of its rows; the attention "
            "belongs to the scores shown.",
            file=sys.stderr,
        )


def as_text(table: pa.Table) -> Iterator[str]:
    """Lines for a terminal: sequence, structure, and below them attention and activation as shades."""
    for row in table.to_pylist():
        yield f">{row['id']} score={row['score']:.4f} mfe={row['mfe']:.1f} model={row['model']}"
        yield row["sequence"]
        yield row["structure"]
        yield _shades(row["attention"]) + "  attention"
        yield _shades([max(0.0, v) for v in row["activation"]]) + "  activation, for pre-miRNA"
        yield _shades([max(0.0, -v) for v in row["activation"]]) + "  activation, against"
        if row["flank_attention"] is not None:
            share, own = 100 * row["flank_attention"], row["flank_activation"]
            total = sum(row["activation"]) + own
            yield f"flanks: {share:.0f} % of the attention; activation {own:+.2f} of {total:+.2f} in all"


def _shades(values: list[float]) -> str:
    """One sign a position; the highest value has the darkest."""
    steps = np.ceil(np.array(values) / (max(values, default=0) or 1) * (len(_SHADES) - 1)).astype(int)
    return "".join(_SHADES[step] for step in steps)
