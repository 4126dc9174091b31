"""`mirsweep annotate`: names, overlaps and exclusions of the loci of a scan, beside them in its output."""

import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mirsweep.jobs.annotate.features import Overlaps, find_overlaps, overlaps_any
from mirsweep.jobs.annotate.groups import find_groups
from mirsweep.jobs.annotate.known_sequences import KnownSequences, read_known_sequences
from mirsweep.jobs.annotate.naming import Unnamed, propose_names
from mirsweep.jobs.annotate.nearest import Nearest, find_nearest
from mirsweep.jobs.annotate.places import LociByPlace, known_at
from mirsweep.jobs.annotate.queries import chance_queries, queries_of
from mirsweep.jobs.annotate.record_names import parse_name
from mirsweep.jobs.annotate.schema import ANNOTATION_SCHEMA, VERDICTS
from mirsweep.jobs.results.dataset import Output, open_loci, read_loci
from mirsweep.jobs.results.formats.files import write_table
from mirsweep.jobs.results.hold import hold
from mirsweep.jobs.results.layout import ANNOTATION
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.outputs import check_file
from mirsweep.jobs.results.query import Q_PRESETS
from mirsweep.jobs.results.side_tables import EXCLUDED, write_side_table
from mirsweep.jobs.results.stored import changes_output
from mirsweep.scanner.errors import InputError

__all__ = ["annotate"]

Files = str | os.PathLike | Iterable[str | os.PathLike]
"""One file or several."""


@dataclass(frozen=True)
class _Sources:
    """Files that annotations come from."""

    mature: tuple[str | os.PathLike, ...]
    hairpin: tuple[str | os.PathLike, ...]
    known: tuple[str | os.PathLike, ...]
    features: tuple[str | os.PathLike, ...]
    exclude: tuple[str | os.PathLike, ...]
    genome: tuple[str | os.PathLike, ...]

    @property
    def give_names(self) -> bool:
        """Whether one of them has names of miRNAs."""
        return bool(self.mature or self.hairpin or self.known)


@changes_output
def annotate(
    output: str | os.PathLike,
    *,
    mature: Files = (),
    hairpin: Files = (),
    known: Files = (),
    species: str | None = None,
    features: Files = (),
    exclude: Files = (),
    genome: Files = (),
    groups: str | os.PathLike | None = None,
    report: bool = True,
    quiet: bool = False,
) -> pa.Table:
    """Annotate the loci of a scan, and write what is found beside them, in annotation.parquet, which it replaces.

    Parameters
    ----------
    output
        Output folder of a scan with loci, or address of one in an object store.
    mature
        FASTA of known mature sequences (miRBase's mature.fa, MirGeneDB's); one file or several.
    hairpin
        FASTA of known precursors (miRBase's hairpin.fa, MirGeneDB's). MirGeneDB's give the mature sequences too.
    known
        GFF3 or BED of known precursors in this genome.
    species
        Code before proposed names, ``cel``. Precursors of this species in ``hairpin`` that a locus holds without a
        mismatch are known ones.
    features
        GFF3, GTF or BED of genes, repeats and other features.
    exclude
        The same; loci that overlap one of its records by half are left out where loci are read.
    genome
        Output folders of other scans, of other genomes; loci that are alike are grouped.
    groups
        Where a table of these groups is written, one row a group (``GROUP_SCHEMA``): TSV, or Parquet by its ending.
    report
        Whether to renew the page of the scan, if it has one; otherwise the page stays as it is.
    quiet
        No closing lines on standard error.

    Returns
    -------
    What was written (``ANNOTATION_SCHEMA``), one row a locus.

    Raises
    ------
    InputError
        If no file is given, one cannot be read or is of another assembly, or the output has no loci or cannot be
        written.
    """
    sources = _Sources(*(_listed(files) for files in (mature, hairpin, known, features, exclude, genome)))
    if not any(vars(sources).values()):
        raise InputError(
            "nothing to annotate with: give --mature, --hairpin or --known for names, --features for overlaps, "
            "--exclude, or --genome for conservation."
        )
    if groups is not None:
        if not sources.genome:
            raise InputError("--groups needs other scans to compare with: name them with --genome.")
        check_file(groups)
    _check_species(species)
    opened = open_loci(output, excluded=True)
    loci = read_loci(output, side_tables=False)
    with closing(hold(opened.path)):
        columns = _names(opened, loci, sources, species) | _overlaps(opened, loci, sources)
        write_side_table(opened.path, ANNOTATION, _table(loci, columns))
        if sources.genome:  # groups tell of names that stand by now
            columns |= _conservation(opened, loci, sources, groups)
        table = _table(loci, columns)
        write_side_table(opened.path, ANNOTATION, table)
    if not quiet:
        say(_sentence(opened.path, table))
    if report:
        from mirsweep.jobs.report.report import renew  # what draws is not needed before

        renew(opened.path, quiet=quiet)
    return table


def _listed(files: Files) -> tuple[str | os.PathLike, ...]:
    return (files,) if isinstance(files, str | os.PathLike) else tuple(files)


def _check_species(species: str | None) -> None:
    if species is not None and not (species.isalnum() and species.isascii()):
        raise InputError(
            f"species {species!r} cannot stand before a name: give letters and digits, such as cel or hsa."
        )


def _names(output: Output, loci: pa.Table, sources: _Sources, species: str | None) -> dict[str, list[Any]]:
    """The columns about names, if there is a file that has some."""
    if not sources.give_names:
        return {}
    sequences = read_known_sequences(sources.mature, sources.hairpin)
    places = known_at(output, LociByPlace.of(loci), sources.known)
    nearest = _nearest(output, loci, sequences, species)
    known = [_known_names(places.get(row, ()), near, sequences, species) for row, near in enumerate(nearest)]
    starts = _arm_starts(loci)
    rows = [_row(near, names, starts[row]) for row, (near, names) in enumerate(zip(nearest, known, strict=True))]
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in _NEAREST_COLUMNS}
    own = {name.lower() for name in sequences.parsed if _is_of(name, species, sequences)}
    own |= {parse_name(name).precursor for name in own} | {name.lower() for names in places.values() for name in names}
    columns["name"] = _proposed(loci, nearest, known, sequences, species, own)
    return columns


def _nearest(output: Output, loci: pa.Table, known: KnownSequences, species: str | None) -> list[Nearest]:
    if known.is_empty or not loci.num_rows:
        return [Nearest(None, None, None, None, None, None, None, 0, np.inf, 1.0)] * loci.num_rows
    chance = chance_queries(output, loci)
    return find_nearest(queries_of(loci), chance, known, is_likely=_is_likely(loci), species=species)


def _is_likely(loci: pa.Table) -> np.ndarray:
    return loci["q_value"].to_numpy() <= np.float32(Q_PRESETS["sensitive"])


def _known_names(
    at_place: tuple[str, ...], near: Nearest, sequences: KnownSequences, species: str | None
) -> tuple[str, ...]:
    """Names of the known precursors that a locus is: by its place, or else by a precursor of its species in it."""
    return at_place or tuple(name for name in near.twins if _is_of(name, species, sequences))


def _is_of(name: str, species: str | None, sequences: KnownSequences) -> bool:
    return species is not None and sequences.parsed[name].species.lower() == species.lower()


_NEAREST_COLUMNS = (
    *("verdict", "family", "known_as", "nearest", "nearest_mature", "seed_match", "mature_identity", "matched_arm"),
    *("offset_5p_end", "nearest_hairpin", "hairpin_identity", "e_value", "match_q"),
)


def _row(near: Nearest, known: tuple[str, ...], starts: dict[str, int | None]) -> dict[str, Any]:
    """The columns about the nearest known miRNA; ``starts`` are those of the arms, and of the terminal loop."""
    verdict = VERDICTS[0] if known else VERDICTS[1] if near.is_homologue else VERDICTS[2]
    named = known[0] if known else near.name if near.is_homologue else None
    row: dict[str, Any] = {"verdict": verdict, "family": parse_name(named).family if named else None}
    row["known_as"] = ",".join(known) or None
    if near.name is None:
        return row
    row |= {"nearest": near.name, "nearest_mature": near.mature, "seed_match": near.has_seed}
    row |= {"mature_identity": near.mature_identity, "nearest_hairpin": near.hairpin}
    row |= {"hairpin_identity": near.hairpin_identity, "e_value": near.e_value, "match_q": near.q_value}
    if near.start is not None:
        arm = "5p" if near.start + near.mature_nt / 2 < (starts["loop"] or 0) else "3p"
        predicted = starts[arm]
        row |= {"matched_arm": arm, "offset_5p_end": None if predicted is None else near.start - predicted}
    return row


def _arm_starts(loci: pa.Table) -> list[dict[str, int | None]]:
    """Of each locus the starts of the predicted sequences, and the middle of the terminal loop."""
    columns = (loci[name].to_pylist() for name in ("arm_5p_start", "arm_3p_start", "loop_start", "loop_end"))
    return [
        {"5p": first, "3p": second, "loop": (start + end) // 2}
        for first, second, start, end in zip(*columns, strict=True)
    ]


def _proposed(
    loci: pa.Table,
    nearest: Sequence[Nearest],
    known: Sequence[tuple[str, ...]],
    sequences: KnownSequences,
    species: str | None,
    taken: set[str],
) -> list[str]:
    """The proposed names, genome by genome."""
    texts = loci["sequence"].to_pylist()
    by_genome: dict[str, list[int]] = {}
    for row, genome in enumerate(loci["genome"].to_pylist()):
        by_genome.setdefault(genome, []).append(row)
    names, likely = [""] * loci.num_rows, _is_likely(loci).tolist()
    for rows in by_genome.values():
        unnamed = [
            _unnamed(number, nearest[row], known[row], texts[row], species, sequences)._replace(is_likely=likely[row])
            for number, row in enumerate(rows, 1)
        ]
        for row, name in zip(rows, propose_names(unnamed, species=species, taken=taken), strict=True):
            names[row] = name
    return names


def _unnamed(
    number: int, near: Nearest, known: tuple[str, ...], text: str, species: str | None, sequences: KnownSequences
) -> Unnamed:
    stem, is_own = None, False
    if near.is_homologue and near.name is not None:
        stem = parse_name(near.name).stem
        is_own = near.mature_identity == 1 and near.mature is not None and _is_of(near.mature, species, sequences)
    start = max(near.start or 0, 0)
    mature = text[start : start + near.mature_nt]
    return Unnamed(number, known, stem, mature, is_own, e_value=near.e_value)


def _overlaps(output: Output, loci: pa.Table, sources: _Sources) -> dict[str, list[Any]]:
    """The columns about features, as far as there are files of some."""
    places = LociByPlace.of(loci)
    columns: dict[str, list[Any]] = {}
    if sources.features:
        found: list[Overlaps] = find_overlaps(output, places, loci.num_rows, sources.features)
        columns |= {name: [getattr(each, name) for each in found] for name in Overlaps._fields}
    if sources.exclude:
        columns[EXCLUDED] = overlaps_any(output, places, loci.num_rows, sources.exclude).tolist()
    return columns


def _conservation(
    output: Output, loci: pa.Table, sources: _Sources, groups: str | os.PathLike | None
) -> dict[str, list[Any]]:
    """The columns about groups of loci of several scans."""
    found = find_groups([output.path, *sources.genome])
    if groups is not None:
        write_table(found.table, groups)
    keys = zip(loci["genome"].to_pylist(), loci["locus"].to_pylist(), strict=True)
    told = [found.of_locus.get(key, (None, None)) for key in keys]
    return {"conserved_group": [group for group, _ in told], "conserved_in": [n for _, n in told]}


def _table(loci: pa.Table, columns: dict[str, list[Any]]) -> pa.Table:
    arrays = []
    for field in ANNOTATION_SCHEMA:
        if field.name in ("genome", "locus"):
            arrays.append(loci[field.name].cast(field.type))
        elif field.name in columns:
            arrays.append(_array(columns[field.name], field.type))
        else:
            arrays.append(pa.nulls(loci.num_rows, field.type))
    return pa.Table.from_arrays(arrays, schema=ANNOTATION_SCHEMA)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def _sentence(output: Path, table: pa.Table) -> str:
    verdicts = table["verdict"].to_pylist()
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS] if any(verdicts) else []
    n_excluded = table[EXCLUDED].to_pylist().count(True)
    n_conserved = sum(bool(n) for n in table["conserved_in"].to_pylist())
    counts += [f"{n_conserved} with a like in another genome"] if table["conserved_in"].null_count < len(table) else []
    counts += [f"{n_excluded} left out"] if table[EXCLUDED].null_count < table.num_rows else []
    told = f": {', '.join(counts)}" if counts else ""
    return f"{table.num_rows} loci{told} ({output / ANNOTATION})"
