"""Checking an output, and making anew what is damaged."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirsweep._shown import shown
from mirsweep.jobs.results.contigs import read_contigs
from mirsweep.jobs.results.copies import bring_all
from mirsweep.jobs.results.genomes import open_scanned_genomes
from mirsweep.jobs.results.inspect import Damage, inspect_output
from mirsweep.jobs.results.layout import (
    CANDIDATES,
    CONTIGS,
    DECOYS,
    PLAN,
    RECORDS,
    REPORT,
    RUN,
    SHARDS,
    SIDE_TABLES,
    shard_of_part,
)
from mirsweep.jobs.results.object_store import is_store
from mirsweep.jobs.results.records import drop_records
from mirsweep.jobs.results.run_json import groups_of, read_run, scanned_in
from mirsweep.jobs.results.side_tables import remove_unsound
from mirsweep.jobs.results.stored import folder_to_read, opened_to_change
from mirsweep.jobs.scanning.parts import Parts
from mirsweep.jobs.scanning.scan import Request, scan_opened
from mirsweep.jobs.scanning.shards import check_genomes
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.tiles import Tile

__all__ = ["Checked", "check"]


@shown("output", "is_complete", "n_files", "n_rows", "damage", "repaired")
@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes
    ----------
    output
        The output folder.
    is_complete
        Whether the scan was finished; otherwise only finished shards were checked.
    n_files, n_rows
        Part files of candidates, and rows in them, those of decoys too.
    damage
        What is damaged; after a repair what still is.
    repaired
        What was damaged and has been made anew.
    """

    output: Path
    is_complete: bool
    n_files: int
    n_rows: int
    damage: tuple[Damage, ...]
    repaired: tuple[Damage, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage


def check(
    output: str | os.PathLike,
    *,
    repair: bool = False,
    genomes: str | os.PathLike | Iterable[str | os.PathLike] = (),
    quiet: bool = False,
) -> Checked:
    """Check an output against what was written: files, sizes, digests, columns, order and number of rows, scores, loci.

    Parameters
    ----------
    output
        Output folder of a scan, finished or not, or address of one in an object store.
    repair
        Make anew what is damaged: scans the shards concerned again, and then finds the loci. A damaged side table of
        the loci is removed, with a warning that tells which command writes it.
    genomes
        Where the genomes are now, if they have moved since the scan; in its order.
    quiet
        No progress on standard error.

    Raises
    ------
    InputError, ModelError
        If the folder is not the output of a scan; for a repair, if it does not tell what was scanned, or a genome or
        the model is gone or has changed.
    """
    if repair and is_store(output):
        with opened_to_change(output) as folder:
            return check(folder, repair=True, genomes=genomes, quiet=quiet)
    path = folder_to_read(output)
    bring_all(path)
    found = inspect_output(path)
    if repair and found.damage:
        of_scan = [each for each in found.damage if each.file not in SIDE_TABLES]
        if of_scan:
            _repair(path, of_scan, [genomes] if isinstance(genomes, str | os.PathLike) else list(genomes), quiet)
        remove_unsound(path)
        before, found = found.damage, inspect_output(path)
        left = {each.file for each in found.damage} | {name for name in SIDE_TABLES if not (path / name).exists()}
        repaired = tuple(each for each in before if each.file not in left)
        return Checked(path, *found, repaired=repaired)
    return Checked(path, *found)


def _repair(path: Path, damage: Sequence[Damage], moved: Sequence[str | os.PathLike], quiet: bool) -> None:
    run = _told(path)
    genomes = open_scanned_genomes(run["genomes"], moved, option="--genome")
    check_genomes(genomes)
    _check_model(run["model"], path)
    _forget(path, damage)
    scan_opened(
        genomes,
        _request(path, run),
        output=path,
        local=True if run["executor"]["kind"] == "local" else None,
        adopt=True,
        quiet=quiet,
        began=time.perf_counter(),
    )


def _told(path: Path) -> dict[str, Any]:
    """What run.json tells of the scan, if it is enough to do parts of it again."""
    remedy = "give the command of the scan again, which makes anew what is missing or damaged."
    try:
        run = read_run(path)
    except InputError as error:
        raise InputError(f"{path / RUN}: damaged, so it does not tell what was scanned: {remedy}") from error
    if run is None:
        raise InputError(f"{path}: the scan is not complete, and so does not tell what is asked of it: {remedy}")
    fields: Mapping[str, tuple[str, ...]] = {"model": ("weights", "digest", "label"), "executor": ("kind",)}
    is_whole = isinstance(run.get("parameters"), dict) and all(
        isinstance(run.get(name), dict) and all(isinstance(run[name].get(each), str) for each in own)
        for name, own in fields.items()
    )
    if not is_whole or not all(isinstance(g.get("file"), str) and "digest" in g for g in run["genomes"]):
        raise InputError(f"{path / RUN}: does not tell all that was asked of the scan: {remedy}")
    return run


def _check_model(told: Mapping[str, str], path: Path) -> None:
    from mirsweep.model import load_model

    if load_model(told["weights"], device="cpu").digest != told["digest"]:
        raise InputError(
            f"{told['weights']}: has changed since the scan in {path}: put the former one back, or scan again."
        )


def _request(output: Path, run: Mapping[str, Any]) -> Request:
    try:
        asked = dict(run["parameters"])
        shard_nt = asked.pop("shard_nt")
        params = ScanParams(**asked)
    except (KeyError, TypeError) as error:
        raise InputError(f"{RUN}: its parameters are not those of this version ({error}): scan again.") from error
    has_report = REPORT in run.get("digests", {})
    parts, weights = _parts(output, run), run["model"]["weights"]
    return Request(params, parts, weights, shard_nt, "loci" in run, run.get("decoys"), has_report, groups_of(run))


def _parts(output: Path, run: Mapping[str, Any]) -> Parts | None:
    if not any("scanned" in genome for genome in run["genomes"]):
        return None
    contigs = read_contigs(output, run)
    scanned = scanned_in(run) or (contigs.scanned if contigs else None)
    if scanned is None:
        raise InputError(
            f"{output / CONTIGS}: does not tell which parts were scanned: give the command of the scan again."
        )
    return Parts({place: tuple(Tile(*interval) for interval in intervals) for place, intervals in scanned.items()})


def _forget(path: Path, damage: Iterable[Damage]) -> None:
    """Remove damaged parts with their records, so that no record speaks for them."""
    for each in damage:
        place = path / each.file
        folder, name = place.parent, place.name
        if folder.name == CANDIDATES and name.startswith("part-"):
            output = path / DECOYS if each.file.startswith(f"{DECOYS}/") else path
            drop_records(output, [shard_of_part(name)])
            place.unlink(missing_ok=True)
        elif each.file in (RECORDS, f"{DECOYS}/{RECORDS}"):
            drop_records(place.parent.parent)
        elif each.file == PLAN or (folder.name == SHARDS and name[:1].isdigit()):
            place.unlink(missing_ok=True)
