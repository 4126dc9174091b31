"""Tables beside the loci: one row a locus, written later than these by another command, and joined with them.

A side table is keyed by ``genome`` and ``locus``, and its metadata tell size and digest of the loci.parquet that it was
made from, so that one of other loci is told and never joined.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mirsweep.jobs.results.digests import describe_file
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.layout import LOCI, SIDE_TABLES
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA
from mirsweep.jobs.results.messages import warn, warn_once
from mirsweep.scanner.errors import InputError

__all__ = [
    "ABOUT_READS",
    "EXCLUDED",
    "KEY",
    "POSTERIOR",
    "join",
    "read_side_tables",
    "remove_stale",
    "remove_unsound",
    "what_is_wrong",
    "write_side_table",
]

KEY = ("genome", "locus")
"""Columns that a side table shares with the loci."""
EXCLUDED = "excluded"
"""Column, boolean, of loci that are left out when the loci are read, unless asked for."""
POSTERIOR = "posterior"
"""Column of the probability that a locus is a miRNA, by its score and by reads."""
ABOUT_READS = b"mirsweep.evidence"
"""Metadata of evidence.parquet, JSON: ``criteria``, and of each of ``libraries`` its name, file and total."""
_BYTES, _SHA256 = b"mirsweep.loci.bytes", b"mirsweep.loci.sha256"
_OTHER_LOCI = f"was made from other loci than those in {LOCI}"


def write_side_table(output: Path, name: str, table: pa.Table) -> None:
    """Write a side table of the loci that lie in the output, whole or not at all.

    Parameters
    ----------
    output
        Output folder of a scan with loci.
    name
        One of ``SIDE_TABLES``.
    table
        With the columns ``KEY`` and others that loci have not; at most one row a locus.

    Raises
    ------
    InputError
        If the place cannot be written or is full.
    """
    told = dict(zip((_BYTES, _SHA256), _loci_digest(output), strict=True))
    sink = io.BytesIO()
    marked = table.replace_schema_metadata((table.schema.metadata or {}) | told)
    pq.write_table(marked, sink, compression="zstd", write_page_checksum=True)
    write_atomically(output / name, sink.getvalue())


def read_side_tables(output: Path) -> list[pa.Table]:
    """The side tables that belong to the loci of an output; says on standard error which one does not.

    Raises
    ------
    InputError
        If one cannot be read, or has not the columns of a side table.
    """
    found: list[pa.Table] = []
    taken = set(LOCI_SCHEMA.names)
    for path, remedy in _there(output):
        what = what_is_wrong(path)
        if what == _OTHER_LOCI:
            warn_once(f"{path}: {what}, and is left out: {remedy}.")
            continue
        if what:
            raise InputError(f"{path}: damaged ({what}): {remedy}, or delete it.")
        table = pq.read_table(path, use_threads=False)
        twice = sorted(taken & (set(table.column_names) - set(KEY)))
        if twice:
            raise InputError(f"{path}: has the column {twice[0]!r}, which the loci have: {remedy}, or delete it.")
        taken |= set(table.column_names)
        found.append(table)
    return found


def join(loci: pa.Table, tables: Sequence[pa.Table]) -> pa.Table:
    """The loci with the columns of side tables after their own; null where a table has no row of a locus.

    Parameters
    ----------
    loci
        With the columns ``KEY``; their order stays.
    """
    for table in tables:
        rows = pc.index_in(_keys(loci), value_set=_keys(table))
        for name in table.column_names:
            if name not in KEY:
                loci = loci.append_column(table.schema.field(name), table[name].combine_chunks().take(rows))
    return loci


def remove_stale(output: Path) -> None:
    """Remove side tables of other loci than those that lie in the output now, and say so."""
    for path, remedy in _there(output):
        if what_is_wrong(path) == _OTHER_LOCI:
            path.unlink()
            warn(f"{path}: {_OTHER_LOCI} now, and is removed: {remedy}.")


def remove_unsound(output: Path) -> None:
    """Remove side tables that are damaged or of other loci, and say so."""
    for path, remedy in _there(output):
        what = what_is_wrong(path)
        if what:
            path.unlink()
            warn(f"{path}: {what}, and is removed: {remedy}.")


def what_is_wrong(path: Path) -> str | None:
    """What is wrong with a side table, in words; None if nothing is."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        table = file.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read: {(str(error).splitlines() or ['no message'])[0]}"
    told = file.schema_arrow.metadata or {}
    if (told.get(_BYTES), told.get(_SHA256)) != _loci_digest(path.parent):
        return _OTHER_LOCI
    if not set(KEY) <= set(table.column_names):
        return "it has not the columns of a side table"
    return "it has two rows of a locus" if len(pc.unique(_keys(table))) < table.num_rows else None


def _there(output: Path) -> Iterator[tuple[Path, str]]:
    """Side tables that are in an output, and how each is made again."""
    for name, command in SIDE_TABLES.items():
        path = output / name
        if path.is_file():
            yield path, f"{command} {output} makes it anew"


def _loci_digest(output: Path) -> tuple[bytes, bytes]:
    """Size and sha256 of the loci, as text; of none where there are none."""
    try:
        told = describe_file(output / LOCI)
        return str(told["bytes"]).encode(), told["sha256"].encode()
    except FileNotFoundError:
        return b"", b""


def _keys(table: pa.Table) -> pa.Array:
    """Genome and locus of each row as one text."""
    texts = (table[name].cast(pa.string()).combine_chunks() for name in KEY)
    return pc.binary_join_element_wise(*texts, "\t")
