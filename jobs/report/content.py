"""What the page of a scan tells, gathered from its output."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.jobs.report import charts, numbers
from mirsweep.jobs.report.browsers import Browser, link
from mirsweep.jobs.report.charts import Chart
from mirsweep.jobs.report.columns import Column, columns_of, is_table, side_columns, told
from mirsweep.jobs.report.contig_map import ContigMap, contig_map
from mirsweep.jobs.report.hairpin import ARMS, Hairpin, hairpin_of, mature_arm, shown_arms
from mirsweep.jobs.report.pictures import picture
from mirsweep.jobs.report.trust import Trust, trust_of
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.loci_schema import by_score
from mirsweep.jobs.results.query import Filters, select
from mirsweep.jobs.results.read_arms import READ_ARMS, arms_by_reads
from mirsweep.jobs.results.sound_rows import sound

__all__ = ["MOST_LOCI", "Content", "Detail", "Fact", "best_of", "gather", "loci_of"]

MOST_LOCI = 500
"""Loci of the table, each with its hairpin."""
_MOST_SUPPORTED = 200
"""Further ones that reads support."""
_MOST_BYTES = 3_700_000
"""What all loci may take: long hairpins of plants are drawn for the best ones only, so that the page stays below 5 MB,
of which Vega has 0.8."""
_MOST_STACKS = 12
"""Lines of reads below a hairpin."""
_MARKUP = 50
"""Tags about a text."""
_NARROW = ("q_value", "locus_score", "locus_fp_per_mb", "fp_per_mb", "fp_per_mb_low", "fp_per_mb_high")
_OF_ALL = (*_NARROW, "genome", "start", "end", "mfe", "cluster")
_UNSAID = ("genome", "model")


class Fact(NamedTuple):
    """A line of a list of facts; a spare one is shown where the table has no room for its column."""

    name: str
    value: str
    is_spare: bool = False


class Detail(NamedTuple):
    """What is shown of a locus when it is opened.

    Attributes
    ----------
    locus
        Its name.
    picture
        SVG; empty where there is no room for it.
    arms
        (arm, role, sequence, how it is known) of the sequences of both arms.
    stacks
        Lines of reads, below the bases that they cover.
    links
        (name, address) of browsers.
    facts
        All else that is told of it.
    sequence
        The sequence in pieces, each with the name of its look.
    """

    locus: str
    picture: str
    sequence: Sequence[tuple[str, str]]
    structure: str
    stacks: Sequence[str]
    arms: Sequence[tuple[str, str, str, str]]
    links: Sequence[tuple[str, str]]
    facts: Sequence[Fact]


class Content(NamedTuple):
    """What the page tells of the loci.

    Attributes
    ----------
    columns, rows
        Of the table; each row the texts of its cells.
    details
        One a row.
    level_of
        Of each row its level of trust, see ``Trust.level_of``.
    data
        All columns of the rows, for sorting, searching and download: ``{"columns": [...], "rows": [[...]]}``.
    n_loci, n_clusters
        Of the scan, whether in the table or not.
    has_attention
        Whether hairpins are shaded by attention.
    n_supported
        Loci of the scan that reads support; None where none were counted.
    """

    trust: Trust
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    details: Sequence[Detail]
    level_of: Sequence[int]
    data: Mapping[str, Any]
    n_loci: int
    n_clusters: int
    charts: Sequence[Chart]
    contigs: ContigMap
    has_attention: bool
    n_supported: int | None


def best_of(opened: Output) -> pa.Table:
    """The loci of the table, best first; below them, best first too, those that reads support further down."""
    batches = select(opened, Filters(), sort="score", limit=MOST_LOCI)
    best = pa.Table.from_batches(batches, schema=opened.schema)
    if "evidence" in opened.schema.names and best.num_rows == MOST_LOCI:
        with opened.intact():
            supported = sound(opened.dataset().to_table(filter=pc.field("evidence") == "supported"))
        keys = [
            pc.binary_join_element_wise(table["genome"].cast(pa.string()), table["locus"], "\t")
            for table in (supported, best)
        ]
        further = supported.filter(pc.invert(pc.is_in(keys[0], keys[1].combine_chunks())))
        order = np.argsort(-further["locus_score"].to_numpy(), kind="stable")[:_MOST_SUPPORTED]
        best = pa.concat_tables([best, further.take(order).cast(opened.schema)])
    return best.unify_dictionaries()


def loci_of(opened: Output) -> pa.Table:
    """All loci, with the columns that figures are made of."""
    with opened.intact():
        return sound(opened.dataset().to_table(columns=list(_OF_ALL)))


def gather(
    opened: Output,
    run: Mapping[str, Any],
    best: pa.Table,
    *,
    attention: Sequence[np.ndarray] | None,
    browsers: Sequence[Browser],
) -> Content:
    """Gather what the page tells of the loci.

    Parameters
    ----------
    opened
        The loci.
    run
        What run.json tells, or will.
    best
        Those of the table, see ``best_of``.
    attention
        Of each base of these.
    browsers
        That loci are linked to.
    """
    loci = loci_of(opened)
    trust = trust_of(loci, run)
    level_of = trust_of(best, run).level_of
    is_likely = trust.level_of <= 1
    rows = best.to_pylist()
    columns = columns_of(best)
    return Content(
        trust=trust,
        columns=columns,
        rows=[[column.text(row) for column in columns] for row in rows],
        details=_details(best, rows, attention, browsers),
        level_of=level_of.tolist(),
        data=_data(best),
        n_loci=loci.num_rows,
        n_clusters=len(set(loci["cluster"].to_pylist()) - {None}),
        charts=list(_charts(loci, trust, is_likely)),
        contigs=contig_map(opened.contigs, best, level_of <= 1),
        has_attention=attention is not None,
        n_supported=_n_supported(opened),
    )


def _n_supported(opened: Output) -> int | None:
    if "evidence" not in opened.schema.names:
        return None
    with opened.intact():
        return opened.dataset().to_table(columns=["evidence"])["evidence"].to_pylist().count("supported")


def _charts(loci: pa.Table, trust: Trust, is_likely: np.ndarray) -> Iterator[Chart]:
    if not loci.num_rows:
        return
    values = {name: loci[name].to_numpy() for name in ("locus_score", "q_value", "mfe", "start", "end")}
    order = np.argsort(-values["locus_score"], kind="stable")
    yield charts.shares(values["q_value"][order], trust)
    yield charts.scores(by_score(values["locus_score"]), trust)
    likely = "the likely ones"
    lengths = values["end"] - values["start"]
    yield charts.histogram("lengths", lengths, is_likely, title="length, nt", width=5, likely=likely)
    yield charts.histogram("energies", values["mfe"], is_likely, title="energy, kcal/mol", width=2.5, likely=likely)


def _details(
    best: pa.Table,
    rows: Sequence[Mapping[str, Any]],
    attention: Sequence[np.ndarray] | None,
    browsers: Sequence[Browser],
) -> list[Detail]:
    """One a row, with pictures as long as there is room for them."""
    side = [field.name for field in side_columns(best) if field.name not in READ_ARMS[2:]]
    spare = [column for column in columns_of(best) if column.is_spare]

    def spare_of(row: Mapping[str, Any]) -> list[Fact]:
        return [Fact(column.label.lower(), column.text(row), True) for column in spare]

    hairpins = [hairpin_of(row, None if attention is None else attention[i]) for i, row in enumerate(rows)]
    bare = [
        Detail(
            locus=row["locus"],
            picture="",
            sequence=_pieces(hairpin),
            structure=row["structure"],
            stacks=_stacks(row),
            arms=_arms(row),
            links=[(browser.name, link(browser, row)) for browser in browsers],
            facts=[*spare_of(row), *_facts(row), *(_fact(row, name) for name in side if row[name] is not None)],
        )
        for row, hairpin in zip(rows, hairpins, strict=True)
    ]
    room = _MOST_BYTES - sum(_n_bytes(row, detail) for row, detail in zip(rows, bare, strict=True))
    details = []
    for detail, hairpin in zip(bare, hairpins, strict=True):
        drawn = picture(hairpin, f"hairpin {detail.locus}") if room > 0 else ""
        room -= len(drawn.encode())
        details.append(detail._replace(picture=drawn if room > 0 else ""))
    return details


def _n_bytes(row: Mapping[str, Any], detail: Detail) -> int:
    """About how many bytes a locus takes without its picture: in the table, among the data, and opened."""
    in_data = sum(len(str(row[name]).encode("unicode_escape")) + 3 for name in row if not _is_table(row[name]))
    opened = sum(len(f"{fact.name}{fact.value}".encode()) + _MARKUP for fact in detail.facts)
    links = sum(2 * len(address) + 2 * _MARKUP for _, address in detail.links)
    opened += sum(len(line.encode()) + 1 for line in detail.stacks)
    return in_data + opened + links + 2 * len(detail.structure) + 8 * len(detail.locus.encode()) + 12 * _MARKUP


def _pieces(hairpin: Hairpin) -> list[tuple[str, str]]:
    """The sequence, cut where an arm's begins or ends; each piece with its look, empty for none."""
    cuts = [0, *(np.flatnonzero(np.diff(hairpin.arms)) + 1).tolist(), len(hairpin.sequence)]
    looks = {index: f"arm{arm} {'mature' if hairpin.mature == arm else 'star'}" for index, arm in enumerate(ARMS)}
    return [(hairpin.sequence[first:last], looks.get(int(hairpin.arms[first]), "")) for first, last in pairwise(cuts)]


def _arms(row: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    read, mature = arms_by_reads(row), mature_arm(row)
    found = []
    for arm, (start, end) in shown_arms(row).items():
        role = "" if mature is None else ("mature" if mature == arm else "star")
        confidence = row[f"arm_{arm}_confidence"]
        told = "as read" if arm in read else f"confidence {numbers.decimals(confidence, 2)}"
        found.append((arm, role, row["sequence"][start:end], told))
    return found


def _stacks(row: Mapping[str, Any]) -> list[str]:
    """The commonest reads, each a line below the bases that it covers, with their number; by where they begin."""
    read = sorted(row.get("stacks") or (), key=lambda each: (-each["reads"], each["start"], each["end"]))
    shown = sorted(read[:_MOST_STACKS], key=lambda each: (each["start"], each["end"]))
    lines = [
        " " * each["start"] + f"{row['sequence'][each['start'] : each['end']]} {numbers.small(each['reads'])}"
        for each in shown
    ]
    return (
        [*lines, f"and {len(read) - len(shown)} other sequences with fewer reads"] if len(read) > len(shown) else lines
    )


def _facts(row: Mapping[str, Any]) -> list[Fact]:
    rate = numbers.small(row["fp_per_mb"])
    if row["fp_per_mb_low"] is not None:
        rate += f" ({numbers.small(row['fp_per_mb_low'])} to {numbers.small(row['fp_per_mb_high'])})"
    return [
        Fact("model's score", numbers.decimals(row["score"], 3)),
        Fact("false loci per Mb", rate),
        Fact("other strand's score", numbers.decimals(row["antisense_score"], 3)),
        Fact("base pairs", str(row["n_pairs"])),
        Fact("G+C", numbers.share(row["gc"])),
        Fact("soft-masked", numbers.share(row["masked"])),
        Fact("complexity", f"{numbers.decimals(row['complexity'], 1)} of 6 bits"),
        Fact("like known arms", _similarity(row)),
        Fact("candidates here", str(row["n_competing"] + 1)),
    ]


def _similarity(row: Mapping[str, Any]) -> str:
    told_of = f"{numbers.decimals(row['similarity'], 1)} bases"
    return f"{told_of}, {row['similar_to']} ({row['n_similar']} here)" if row["similar_to"] else told_of


def _fact(row: Mapping[str, Any], name: str) -> Fact:
    return Fact(name.replace("_", " "), told(row[name]))


def _data(best: pa.Table) -> dict[str, Any]:
    """All columns of the rows, as JSON takes them."""
    lengths = pa.array(np.asarray(best["end"]) - np.asarray(best["start"]))
    table = best.append_column("length", lengths).drop_columns([f.name for f in best.schema if is_table(f.type)])
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    return {"columns": table.column_names, "rows": [list(row) for row in zip(*columns, strict=True)]}


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _plain(value: Any) -> Any:
    """A value of JSON: floats to six digits, which is what float32 has; None for nan."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return value
