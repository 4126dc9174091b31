"""What a complete scan says of itself."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirsweep.jobs.results.digests import DIGESTED, describe_files
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.json_files import MalformedError, check_fields, is_count, is_list_of, read_object
from mirsweep.jobs.results.layout import CONTIGS, INDEX, PLAN, RUN
from mirsweep.scanner.errors import InputError

__all__ = ["groups_of", "read_run", "scanned_in", "write_run"]


def read_run(path: Path) -> dict[str, Any] | None:
    """Content of run.json; None where the scan is not complete.

    Raises
    ------
    InputError
        If the file is damaged, or a field is missing or cannot be.
    """
    try:
        run = read_object(path / RUN)
        _check(run)
        return run
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, MalformedError) as error:
        raise InputError(
            f"{path / RUN}: damaged or not readable ({error}): delete it and run the scan again, which takes a moment."
        ) from error


def write_run(path: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Write run.json into an output folder, whole or not at all, with sizes and digests of the other files.

    Those of the plan, the contigs and the index stay as ``run`` has them, if it has: they are written with a scan only.

    Returns
    -------
    What was written.

    Raises
    ------
    InputError
        If the place cannot be written or is full.
    """
    kept = {name: told for name, told in run.get("digests", {}).items() if name in (PLAN, CONTIGS, INDEX)}
    told = run | {"digests": describe_files(path) | kept}
    write_atomically(path / RUN, (json.dumps(told, indent=1) + "\n").encode())
    return told


def scanned_in(run: Mapping[str, Any]) -> dict[tuple[str, str], list[list[int]]] | None:
    """By genome and contig the intervals that were scanned, of a scan whose run.json lists them; None if none does."""
    told = [(genome["name"], genome["scanned"]) for genome in run["genomes"] if "scanned" in genome]
    if not told or any(_is_sum(own) for _, own in told):
        return None
    return {(name, contig): intervals for name, own in told for contig, intervals in own.items()}


def groups_of(run: Mapping[str, Any]) -> dict[str, str]:
    """By genome the group whose decoys tell its error rates; each is its own where nothing else is told."""
    return {genome["name"]: genome.get("decoy_group", genome["name"]) for genome in run["genomes"]}


def _is_sum(scanned: Mapping[str, Any]) -> bool:
    """Whether it is told how much was scanned, rather than which intervals."""
    return bool(scanned) and all(is_count(value) for value in scanned.values())


def _check(run: dict[str, Any]) -> None:
    check_fields(run, {"genomes": list, "counts": dict})
    check_fields(run["counts"], {"n_candidates": int, "n_scanned": int}, where="counts")
    for name, count in run["counts"].items():
        if not is_count(count):
            raise MalformedError(f"counts.{name} is {str(count)[:40]!r}, which it cannot be")
    if not run["genomes"]:
        raise MalformedError("genomes is empty")
    for number, genome in enumerate(run["genomes"]):
        _check_genome(genome, f"genomes[{number}]")
    for name, kind in (("digests", dict), ("loci", dict), ("model", dict), ("parameters", dict)):
        if name in run:
            check_fields(run, {name: kind})
    for name, told in run.get("digests", {}).items():
        if name not in DIGESTED:  # what is checked may be removed by a repair: no name leads out of the output
            raise MalformedError(f"digests names {name[:60]!r}, which is no file of a scan")
        check_fields(told, {"bytes": int, "sha256": str}, where=f"digests.{name}")


def _check_genome(genome: Any, where: str) -> None:
    check_fields(genome, {"name": str}, where=where)
    for name in ("file", "digest", "decoy_group"):
        if name in genome:
            check_fields(genome, {name: str}, where=where)
    for name in ("counts", "contigs", "scanned"):
        if name in genome:
            check_fields(genome, {name: dict}, where=where)
    for contig, length in genome.get("contigs", {}).items():
        if not is_count(length):
            raise MalformedError(f"{where}.contigs.{contig} is no length")
    scanned = genome.get("scanned", {})
    for contig, intervals in () if _is_sum(scanned) else scanned.items():
        if not isinstance(intervals, list) or not all(is_list_of(each, int, int) for each in intervals):
            raise MalformedError(f"{where}.scanned.{contig} is no list of intervals")
