"""Reading the output of a scan."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.dataset as ds

from mirsweep.jobs.results.layout import CANDIDATES, ERRORS, PLAN, contig_folder
from mirsweep.jobs.results.messages import warn_once
from mirsweep.jobs.results.run_json import read_run
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError

__all__ = ["Output", "open_output"]


@dataclass(frozen=True)
class Output:
    """A scan's output, complete or not.

    Attributes
    ----------
    path
        The output folder.
    run
        Content of run.json; None if the scan is not complete.
    """

    path: Path
    run: dict[str, Any] | None

    @property
    def contigs(self) -> dict[str, int] | None:
        """Length (nt) of every contig that was scanned; None if the scan is not complete."""
        if self.run is None:
            return None
        return {name: length for genome in self.run["genomes"] for name, length in genome["contigs"].items()}

    @property
    def parts(self) -> dict[str, list[list[int]]] | None:
        """By contig the intervals (0-based half-open, in order) that were scanned; None if all, or not known yet."""
        if self.run is None or not any("scanned" in genome for genome in self.run["genomes"]):
            return None
        return {name: tiles for genome in self.run["genomes"] for name, tiles in genome.get("scanned", {}).items()}

    def has_contig(self, name: str) -> bool:
        """Whether the scan read this contig, or, while it is not complete, whether it has candidates on it."""
        if self.contigs is not None:
            return name in self.contigs
        return (self.path / CANDIDATES / contig_folder(name)).is_dir()

    def dataset(self, contigs: Sequence[str] | None = None) -> ds.Dataset:
        """The candidates as an Arrow dataset whose files come by contig and position; of some contigs, or of all."""
        folder = self.path / CANDIDATES
        if contigs is None:
            folders = sorted(folder.iterdir(), key=_contig_order) if folder.is_dir() else []
        else:
            folders = [folder / contig_folder(contig) for contig in sorted(set(contigs))]
        files = [str(part) for sub in folders for part in sorted(sub.glob("part-*.parquet"))]
        return ds.dataset(files, schema=SCHEMA, format="parquet") if files else ds.dataset(SCHEMA.empty_table())


def open_output(path: str | os.PathLike) -> Output:
    """Open the output of a scan; says on standard error if it is not complete.

    Raises
    ------
    InputError
        If the folder is not the output of a scan, or its run.json is damaged.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the -o folder of a mirsweep scan.")
    run = read_run(path)
    if run is None and not (path / PLAN).is_file() and not (path / CANDIDATES).is_dir():
        raise InputError(f"{path}: not the output of a mirsweep scan; give the -o folder of one.")
    if run is None:
        warn_once(f"{path}: the scan is not complete; run it again to finish. Only finished parts are read.")
    elif (path / ERRORS).is_file():
        n_failed = run["counts"]["n_shards_failed"]
        warn_once(f"{path}: {n_failed} shards of the scan failed ({ERRORS}); candidates in them are missing.")
    return Output(path, run)


def _contig_order(folder: Path) -> str:
    return unquote(folder.name.removeprefix("contig="))
