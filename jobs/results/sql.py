"""SQL over the candidates, by DuckDB shut off from everything else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from mirsweep.jobs.results.copies import copy_at
from mirsweep.jobs.results.dataset import Output, damaged, open_loci
from mirsweep.jobs.results.layout import LOCI
from mirsweep.scanner.errors import InputError

__all__ = ["LOCI_VIEW", "VIEW", "run_sql"]

VIEW = "candidates"
LOCI_VIEW = "loci"
_OF_DATASET = ("arrow_scan", "the stream registered as")
"""In DuckDB's errors, of one version or another, that come from the datasets it reads."""
_ROWS_PER_BATCH = 65_536
_CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "temp_directory": "",
}
_MEND = f"give one SELECT statement over the views {VIEW!r} and {LOCI_VIEW!r}, which have the columns of the tables"


def run_sql(output: Output, statement: str) -> pa.RecordBatchReader:
    """Run one SELECT over the views ``candidates`` and, if there are any, ``loci``; rows are handed on in batches.

    Loci have the columns of their side tables; those that one tells to leave out are there if ``output.has_excluded``.

    No file, network, extension, setting or Python variable is within the statement's reach.

    Raises
    ------
    InputError
        If the statement is not a single SELECT, or DuckDB refuses it.
    """
    import duckdb

    connection = duckdb.connect(":memory:", config=_CONFIGURATION)
    if (
        VIEW in statement.lower() or copy_at(output.path) is None
    ):  # of a copy, candidates are brought if they are asked for
        connection.register(VIEW, replace(output, is_loci=False).dataset())
    if (output.path / LOCI).is_file():
        connection.register(LOCI_VIEW, open_loci(output.path, excluded=output.has_excluded).dataset())
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    try:
        statements = connection.extract_statements(statement)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise InputError(f"the SQL cannot be run: {_MEND}.")
        reader = connection.sql(statement).to_arrow_reader(_ROWS_PER_BATCH)
        return pa.RecordBatchReader.from_batches(reader.schema, _explained(reader, output.path))
    except duckdb.Error as error:
        raise _refused(error, output.path) from error


def _explained(reader: pa.RecordBatchReader, path: Path) -> Iterator[pa.RecordBatch]:
    """The batches; what goes wrong only while they are computed becomes a sentence too."""
    import duckdb

    try:
        for batch in reader:
            yield _checked(batch, path)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _refused(error, path) from error


def _checked(batch: pa.RecordBatch, path: Path) -> pa.RecordBatch:
    """The batch, its texts checked: DuckDB hands on those of a damaged part as they are."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        raise damaged(path, error) from error
    return batch


def _refused(error: Exception, path: Path) -> InputError:
    if any(words in str(error) for words in _OF_DATASET):  # reading the parts failed, whatever the statement
        return damaged(path, error)
    cause = " ".join(str(error).split("LINE 1")[0].split())
    return InputError(f"the SQL cannot be run ({cause}): {_MEND}.")
