"""Attention and class activation map of given sequences or of a scan's best candidates."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.query import query
from mirsweep.jobs.results.writers import candidate_id
from mirsweep.jobs.sequences import svg
from mirsweep.jobs.sequences.score import checked_sequences
from mirsweep.model.threads import one_thread
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.fold import fold

if TYPE_CHECKING:
    from mirsweep.model import Model

__all__ = ["EXPLAIN_SCHEMA", "as_text", "draw", "explain"]

EXPLAIN_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("score", pa.float32()),
        ("mfe", pa.float32()),
        ("sequence", pa.string()),
        ("structure", pa.string()),
        ("attention", pa.list_(pa.float32())),
        ("activation", pa.list_(pa.float32())),
    ]
)
_SHADES = " .:-=+*#%@"


class _Hairpins(NamedTuple):
    ids: list[str]
    sequences: list[str]
    structures: list[str]
    energies: Sequence[float]


def explain(
    source: str | os.PathLike,
    *,
    model: str | os.PathLike = "paper-cross",
    activation: str = "cam",
    region: str | None = None,
    limit: int | None = None,
    device: str = "auto",
) -> pa.Table:
    """Show where the model looks: attention and class activation map of each hairpin (paper, section 4.3).

    Parameters
    ----------
    source
        FASTA file, or output folder of a scan, of which the candidates of highest score are taken.
    model
        Name of bundled weights, or path of a weights file; it must have attention.
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
    Columns id, score, mfe (kcal/mol), sequence, structure, attention (one value a nt, sum 1), activation (one value a
    nt; above 0 speaks for a pre-miRNA).

    Raises
    ------
    InputError, ModelError
        If the source or the model is bad, or the model has no attention.
    """
    from mirsweep.model import load_model
    from mirsweep.model.explain import explain as explain_hairpins

    scorer = load_model(model, device=device)
    hairpins = _read(Path(source), scorer, region, limit)
    with one_thread():
        found = explain_hairpins(scorer, hairpins.sequences, hairpins.structures, activation=activation)
    columns = (
        hairpins.ids,
        [each.score for each in found],
        hairpins.energies,
        hairpins.sequences,
        hairpins.structures,
        [each.attention for each in found],
        [each.activation for each in found],
    )
    arrays = [pa.array(column, field.type) for column, field in zip(columns, EXPLAIN_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=EXPLAIN_SCHEMA)


def _read(source: Path, scorer: "Model", region: str | None, limit: int | None) -> _Hairpins:
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, not {limit}.")
    if source.is_dir():
        rows = query(source, region=region, limit=limit or 10, sort="score").to_pylist()
        columns = ([row[name] for row in rows] for name in ("sequence", "structure", "mfe"))
        return _Hairpins([candidate_id(row) for row in rows], *columns)
    if region is not None:
        raise InputError(f"{source}: --region goes with the output folder of a scan, not with a file of sequences.")
    records = read_sequences(source)[:limit]
    rna = checked_sequences(source, records, longest=scorer.max_length)
    return _Hairpins([record.id for record in records], rna, *fold(rna))


def as_text(table: pa.Table) -> Iterator[str]:
    """Lines for a terminal: sequence, structure, and below them attention and activation as shades."""
    for row in table.to_pylist():
        yield f">{row['id']} score={row['score']:.4f} mfe={row['mfe']:.1f}"
        yield row["sequence"]
        yield row["structure"]
        yield _shades(row["attention"]) + "  attention"
        yield _shades([max(0.0, v) for v in row["activation"]]) + "  activation, for pre-miRNA"
        yield _shades([max(0.0, -v) for v in row["activation"]]) + "  activation, against"


def _shades(values: list[float]) -> str:
    """One sign a position; the highest value has the darkest."""
    steps = np.ceil(np.array(values) / (max(values, default=0) or 1) * (len(_SHADES) - 1)).astype(int)
    return "".join(_SHADES[step] for step in steps)


def draw(table: pa.Table) -> str:
    """The same as one SVG picture, a block a hairpin."""
    step, block, left = 9.0, 190, 90
    rows = table.to_pylist()
    longest = max((len(row["sequence"]) for row in rows), default=0)
    parts: list[str] = []
    for i, row in enumerate(rows):
        parts += _block(row, top=block * i, left=left, step=step)
    return svg.document(parts, width=left + step * max(longest, 60) + 20, height=block * len(rows) + 10)


def _block(row: dict[str, Any], *, top: float, left: float, step: float) -> list[str]:
    parts = [svg.text(10, top + 20, f"{row['id']}  score {row['score']:.4f}  {row['mfe']:.1f} kcal/mol", size=13)]
    for name, y in (("attention", top + 80), ("activation", top + 150)):
        values, colour = np.array(row[name], np.float32), svg.COLOURS[0 if name == "attention" else 1]
        height = 50 if name == "attention" else 30
        parts.append(svg.text(10, y, name, size=11))
        parts += svg.profile(values, x=left, y=y, height=height, step=step, colour=colour)
    mono = 'font-family="monospace"'
    for i, (base, symbol) in enumerate(zip(row["sequence"], row["structure"], strict=True)):
        x = left + i * step + step / 2 - 0.5
        parts.append(svg.text(x, top + 94, base, anchor="middle", size=10, style=mono))
        parts.append(svg.text(x, top + 106, symbol, anchor="middle", size=10, style=mono))
    return parts
