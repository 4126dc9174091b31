"""Conservation: loci of several scans that are alike, grouped."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.annotate.match import (
    HairpinIndex,
    Hits,
    MatureIndex,
    Queries,
    hairpin_hits,
    mature_hits,
)
from mirsweep.jobs.annotate.queries import chance_queries, queries_of
from mirsweep.jobs.annotate.significance import fit_null
from mirsweep.jobs.results.dataset import Output, open_loci
from mirsweep.jobs.results.query import Q_PRESETS
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.scanner.errors import InputError

__all__ = ["GROUP_SCHEMA", "Conservation", "find_groups"]

GROUP_SCHEMA = pa.schema(
    [
        ("group", pa.int32()),
        ("n_genomes", pa.int32()),
        ("n_loci", pa.int32()),
        ("genomes", pa.string()),
        ("families", pa.string()),
        ("names", pa.string()),
        ("loci", pa.string()),
        ("best_locus_score", pa.float32()),
        ("best_q_value", pa.float32()),
    ]
)
"""One row a group of loci that are alike, those of most genomes first:

- ``genomes``, ``families``, ``names``, ``loci``: by commas; a locus is ``genome|contig:first-last:strand``; families
  and names are those of the annotations that the scans had.
- ``best_locus_score``, ``best_q_value``: of the best locus in it.
"""
_MOST_BY_CHANCE = 0.05
"""Pairs of loci that are linked by chance alone, expected in all."""
_SHORTEST_ARM = 15
_COLUMNS = ("genome", "locus", "locus_score", "q_value")


class Conservation(NamedTuple):
    """Groups of the loci of several scans.

    Attributes
    ----------
    table
        ``GROUP_SCHEMA``.
    of_locus
        By genome and locus its group, and the number of other genomes in that.
    """

    table: pa.Table
    of_locus: dict[tuple[str, str], tuple[int, int]]


class _Loci(NamedTuple):
    """Loci of all scans together."""

    rows: list[dict]
    queries: Queries


def find_groups(outputs: Sequence[str | os.PathLike]) -> Conservation:
    """Group the likely loci of scans (a ``q_value`` of at most 0.5) by similarity.

    Two loci are linked where their hairpins, or the mature sequence that the model predicts for one and the hairpin of
    the other, match better than chance lets expect once in 20 such comparisons of all; linked ones are a group, and so
    is a locus without any.

    Parameters
    ----------
    outputs
        Output folders of scans with loci, of distinct genomes.

    Raises
    ------
    InputError
        If one has no loci, or two have a genome of the same name.
    """
    opened = [open_loci(output) for output in outputs]
    _check_genomes(opened)
    tables = [_likely(output) for output in opened]
    loci = _Loci([row for table in tables for row in _rows(table)], _joined([queries_of(table) for table in tables]))
    chance = _joined([chance_queries(output, table) for output, table in zip(opened, tables, strict=True)])
    return _described(loci.rows, _components(len(loci.rows), _links(loci, chance)))


def _check_genomes(opened: Sequence[Output]) -> None:
    seen: dict[str, Path] = {}
    for output in opened:
        for genome in output.contigs.genomes:
            if genome in seen:
                raise InputError(
                    f"{output.path}: has a genome {genome!r}, and so has {seen[genome]}: give scans of distinct "
                    "genomes, named apart by mirsweep scan --name."
                )
            seen[genome] = output.path


def _likely(output: Output) -> pa.Table:
    with output.intact():
        table = sound(output.dataset().to_table()).unify_dictionaries()
    return table.filter(pa.array(table["q_value"].to_numpy() <= np.float32(Q_PRESETS["sensitive"])))


def _rows(table: pa.Table) -> list[dict]:
    names = [name for name in (*_COLUMNS, "family", "name", "verdict") if name in table.column_names]
    arms = ("sequence", "arm_5p_start", "arm_5p_end", "arm_3p_start", "arm_3p_end")
    return table.select([*names, *arms]).to_pylist()


def _joined(parts: Sequence[Queries]) -> Queries:
    sequences = [sequence for part in parts for sequence in part.sequences]
    return Queries(sequences, *(np.concatenate(columns) for columns in zip(*(part[1:] for part in parts), strict=True)))


def _links(loci: _Loci, chance: Queries) -> list[tuple[int, int]]:
    """Pairs of loci that match."""
    links: list[tuple[int, int]] = []
    matures, owners = _matures(loci.rows)
    if matures:
        index = MatureIndex(matures)
        links += _of_hits(
            mature_hits(loci.queries, index), mature_hits(chance, index), len(loci.rows), len(chance), owners
        )
    hairpins = [row["sequence"] for row in loci.rows]
    if hairpins:
        words = HairpinIndex(hairpins)
        hits, by_chance = hairpin_hits(loci.queries, words), hairpin_hits(chance, words)
        links += _of_hits(hits, by_chance, len(loci.rows), len(chance), list(range(len(hairpins))))
    return links


def _matures(rows: Sequence[dict]) -> tuple[list[str], list[int]]:
    """The predicted sequences of both arms, and the locus of each."""
    found = []
    for number, row in enumerate(rows):
        for arm in ("5p", "3p"):
            start, end = row[f"arm_{arm}_start"], row[f"arm_{arm}_end"]
            if start is not None and end - start >= _SHORTEST_ARM:
                found.append((row["sequence"][start:end], number))
    return [sequence for sequence, _ in found], [number for _, number in found]


def _of_hits(hits: Hits, by_chance: Hits, n: int, n_chance: int, owners: Sequence[int]) -> list[tuple[int, int]]:
    best = by_chance.best_of(n_chance)
    scores = np.where(best >= 0, by_chance.score[best] if len(by_chance.score) else np.nan, np.nan)
    is_link = fit_null(scores).p_values(hits.score) <= _MOST_BY_CHANCE / max(n, 1)
    return [(int(hits.query[k]), owners[int(hits.target[k])]) for k in np.flatnonzero(is_link)]


def _components(n: int, links: Sequence[tuple[int, int]]) -> np.ndarray:
    """Number of the connected component of each of n loci."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array(links, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1] if n else np.zeros(0, np.int64)


def _described(rows: Sequence[dict], components: np.ndarray) -> Conservation:
    members: dict[int, list[dict]] = {}
    for row, component in zip(rows, components.tolist(), strict=True):
        members.setdefault(component, []).append(row)
    groups = [_group(own) for own in members.values()]
    groups.sort(key=lambda group: (-group["n_genomes"], -group["best_locus_score"], group["loci"]))
    of_locus = {}
    by_loci = {_loci_text(own): own for own in members.values()}
    for number, group in enumerate(groups, 1):
        group["group"] = number
        for row in by_loci[group["loci"]]:
            of_locus[row["genome"], row["locus"]] = (number, group["n_genomes"] - 1)
    return Conservation(pa.Table.from_pylist(groups, schema=GROUP_SCHEMA), of_locus)


def _group(rows: Sequence[dict]) -> dict:
    genomes = sorted({row["genome"] for row in rows})
    named = [row for row in rows if row.get("verdict") in ("known", "homologue")]
    return {
        "n_genomes": len(genomes),
        "n_loci": len(rows),
        "genomes": ",".join(genomes),
        "families": ",".join(sorted({row["family"] for row in named if row.get("family")})) or None,
        "names": ",".join(sorted({row["name"] for row in named if row.get("name")})) or None,
        "loci": _loci_text(rows),
        "best_locus_score": max(row["locus_score"] for row in rows),
        "best_q_value": min(row["q_value"] for row in rows),
    }


def _loci_text(rows: Sequence[dict]) -> str:
    return ",".join(f"{row['genome']}|{row['locus']}" for row in rows)
