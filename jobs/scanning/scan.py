"""The scan: genomes in, a Parquet dataset of scored candidates out."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mirsweep.cores import free_bytes, n_cores
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.mirror import Mirror
from mirsweep.jobs.results.object_store import is_store
from mirsweep.jobs.results.trained_on import lengths_trained_on
from mirsweep.jobs.scanning.decoys import MOST_NT, Decoys, decoy_nt
from mirsweep.jobs.scanning.in_process import Executor, InProcess, OnDemand
from mirsweep.jobs.scanning.opening import FailedGenome, asked_for, open_genomes
from mirsweep.jobs.scanning.parts import Parts, Wanted, choose_parts
from mirsweep.jobs.scanning.run import Run, ScanReport
from mirsweep.jobs.scanning.shards import SHARD_NT, GenomeKey, RunKey, make_shards
from mirsweep.jobs.scanning.store import Store, stored_shard_nt
from mirsweep.jobs.scanning.weights import describe_model
from mirsweep.model.card import ModelFacts, read_facts
from mirsweep.model.defaults import default_model
from mirsweep.model.devices import resolve_device
from mirsweep.model.kernel_groups import scoring_kernels
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.fold import fold
from mirsweep.scanner.kernel_groups import counting_kernels, scanning_kernels
from mirsweep.scanner.params import ScanParams, preset_params

if TYPE_CHECKING:
    from mirsweep.model import Scorer

__all__ = ["LOCAL_NT", "MAX_WORKERS", "Request", "scan", "scan_opened"]

Selected = str | os.PathLike | Iterable[str | os.PathLike]
LOCAL_NT = 4_000_000
"""Genomes up to this size (nt) are scanned in this process: others would take as long to start as they save."""
MAX_WORKERS = 100_000
WORKER_BYTES = 600_000_000
"""Memory of a worker process, 0.43 GB on human sequence, and some more."""


def scan(
    genomes: str | os.PathLike | Iterable[str | os.PathLike] = (),
    *,
    manifest: str | os.PathLike | None = None,
    output: str | os.PathLike,
    model: str | os.PathLike | None = None,
    preset: str = "animal",
    min_span: int | None = None,
    max_span: int | None = None,
    per_nt: float | None = None,
    threshold: float | None = None,
    long_span: int | None = None,
    long_penalty: float | None = None,
    nested: bool | None = None,
    flank: int | None = None,
    stem_filter: str | None = None,
    strand: str = "both",
    fold_engine: str = "batch",
    name: str | None = None,
    regions: Selected = (),
    contigs: str | Iterable[str] = (),
    exclude_contigs: str | Iterable[str] = (),
    min_contig: int = 0,
    decoys: str | int = MOST_NT,
    decoy_group: str | None = None,
    workers: int | None = None,
    local: bool | None = None,
    device: str = "auto",
    shard_nt: int | None = None,
    overwrite: bool = False,
    loci: bool = True,
    report: bool = True,
    quiet: bool = False,
) -> ScanReport:
    """Scan genomes for candidate precursor microRNAs; goes on by itself where an interrupted scan stopped.

    Parameters
    ----------
    genomes
        FASTA files, plain or packed, or pipes (``-``: standard input). Each is a genome of its own name; contigs of two
        genomes may be called the same. One of several that cannot be read is left out, with a warning.
    manifest
        Instead, a table of genomes: tab-separated name, path and, if wanted, group. Paths are relative to its folder.
    output
        Folder for the results, or one in an object store (``s3://bucket/folder``, ``gs://``): the scan then works in a
        copy in the cache, and what is finished is put there shard by shard.
    model
        Name of bundled weights, or path of a weights file; by default the preset's (``default_model``).
    preset
        ``"animal"``, ``"plant"`` or ``"virus"``: sets those of the following that are None.
    min_span, max_span
        Length of a hairpin, without the flank, nt.
    per_nt
        Penalty on length, kcal/mol per nt.
    threshold
        Energy threshold: highest energy of a candidate, penalties included, kcal/mol.
    long_span, long_penalty
        A hairpin longer than this, nt, pays so much more, kcal/mol.
    nested
        Whether a long hairpin and a short one within it can both be candidates.
    flank
        Bases added to a hairpin on each side, nt.
    stem_filter
        ``"animal"``, ``"plant"`` or ``"none"``: which stems pass before and after folding.
    strand
        ``"both"``, ``"+"`` or ``"-"``.
    fold_engine
        Fold engine, see :func:`mirsweep.scanner.fold`.
    name
        Name of the assembly, for a single file; its stem by default.
    regions
        Only hairpins that start in these: each a string ``chr:start-end`` (1-based with both ends included, as in
        ``query``; ``chr`` alone is the whole contig), or the path (``pathlib.Path``) of a BED file, plain or gzip.
        Overlapping ones are merged. The rows are those of the whole scan.
    contigs, exclude_contigs
        Only these contigs; not these. Names, or patterns with ``*``, ``?`` and ``[...]``, where case matters.
    min_contig
        Leave out shorter contigs, nt.
    decoys
        How many bases of the same genomes, read backwards, are scanned beside them at most; ``"none"``: none. What is
        found there is found by mistake: it tells the error rate of the loci. Does not change the candidates.
    decoy_group
        Of several genomes, whose decoys and loci tell the error rates: ``"each"`` its own, ``"all"`` those of all
        together; None: those of its group in the manifest, of a genome without one its own. Small genomes have too few
        decoys alone.
    workers
        Most shards that are worked on at once; as many as there are cores by default.
    local
        True: in this process; False: on Ray; None: on Ray if a cluster is named (RAY_ADDRESS), else in worker processes
        of this machine if the genomes are larger than ``LOCAL_NT`` or more than one worker is asked for, else in this
        process.
    device
        Where scoring runs: ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if there is one and it folds, too, or if Ray has
        some; scoring alone saves less than a GPU takes to start. Worker processes share this machine's GPUs.
    shard_nt
        Bases in a shard, the unit of work and of resume; ``SHARD_NT`` by default. Does not change the rows.
    overwrite
        Replace what is in the output.
    loci
        Whether to find the loci at the end, see :func:`mirsweep.jobs.loci`; only models with a calibration have them.
        Without, no decoys are scanned.
    report
        Whether to write the page of the scan, report.html, see :func:`mirsweep.jobs.report`; only scans with loci have
        one.
    quiet
        No progress on standard error.

    Raises
    ------
    InputError, ModelError
        If an input is bad, or the output belongs to another scan or cannot be written.
    Interrupted
        On Ctrl-C; what is finished is kept.
    """
    began = time.perf_counter()
    asked = {
        "min_span": min_span,
        "max_span": max_span,
        "per_nt": per_nt,
        "threshold": threshold,
        "long_span": long_span,
        "long_penalty": long_penalty,
        "nested": nested,
        "flank": flank,
        "stem_filter": stem_filter,
    }
    params = preset_params(preset, strand=strand, fold_engine=fold_engine, **asked)
    model = default_model(preset) if model is None else model
    if not os.fspath(output):
        raise InputError("the output folder's name is empty: name one.")
    if workers is not None and not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"{workers} workers cannot work: give --workers from 1 to {MAX_WORKERS}.")
    most_decoys = decoy_nt(decoys) if loci else None
    wanted = Wanted(_listed(regions), _listed(contigs), _listed(exclude_contigs), min_contig)
    has_page = report and loci
    found = open_genomes(asked_for(genomes, name, manifest), lengths_trained_on(model) if has_page else ())
    parts, groups = choose_parts(found.genomes, wanted), found.decoy_groups(decoy_group)
    request = Request(params, parts, model, shard_nt, loci, most_decoys, report, groups)
    scan_into = partial(
        scan_opened,
        found.genomes,
        request,
        failed=found.failed,
        workers=workers,
        local=local,
        device=device,
        overwrite=overwrite,
        quiet=quiet,
        began=began,
    )
    if not is_store(output):
        return scan_into(output=Path(output))
    with closing(Mirror(os.fspath(output))) as mirror:
        mirror.pull()
        done = scan_into(output=mirror.folder, mirror=mirror)
        mirror.settle()
        mirror.finish()
        return done


@dataclass(frozen=True)
class Request:
    """What is asked of open genomes.

    Attributes
    ----------
    params
        What counts as a candidate.
    parts
        What of the genomes is scanned; None for all.
    model
        Name or path of the weights.
    shard_nt
        Bases in a shard; None for those of the scan that is resumed, or ``SHARD_NT``.
    loci
        Whether the loci are found at the end.
    most_decoys
        Most decoys, nt; None for no decoys.
    report
        Whether the page of the scan is written, if there are loci.
    groups
        By genome the group whose decoys tell its error rates; each its own by default.
    """

    params: ScanParams
    parts: Parts | None
    model: str | os.PathLike
    shard_nt: int | None
    loci: bool
    most_decoys: int | None
    report: bool
    groups: Mapping[str, str] = field(default_factory=dict)


def scan_opened(
    opened: Sequence[Genome],
    request: Request,
    *,
    output: Path,
    workers: int | None = None,
    local: bool | None = None,
    device: str = "auto",
    overwrite: bool = False,
    adopt: bool = False,
    quiet: bool = False,
    began: float,
    failed: Sequence[FailedGenome] = (),
    mirror: Mirror | None = None,
) -> ScanReport:
    """Scan open genomes; parameters and errors are those of :func:`scan`.

    Parameters
    ----------
    adopt
        Take the output for that of this scan where its plan is missing or damaged.
    began
        ``time.perf_counter()`` at the start.
    failed
        Genomes that were asked for and could not be read.
    mirror
        Of an output in an object store, whose copy ``output`` is.
    """
    params, parts, model = request.params, request.parts, request.model
    fold_engine = params.fold_engine
    _check_lengths(opened, parts, params)
    where = _where(local, workers, parts.n_bases if parts else sum(map(_length, opened)))
    is_local = where == InProcess.kind
    if where != "ray":  # whose nodes have GPUs of their own
        device = resolve_device("cpu" if device == "auto" and fold_engine != "cuda" else device)
    if fold_engine == "cuda" and where == "ray":
        raise InputError(
            "the fold engine 'cuda' does not work on Ray: leave out --ray and RAY_ADDRESS, or give --local."
        )
    fold([], engine=fold_engine)  # an engine that cannot run here says so now, not in every shard
    scorer = _load(model, device) if is_local else None  # else workers load it
    facts = scorer or read_facts(model)
    _check_spans(params, facts)
    key = RunKey(
        genomes=tuple(GenomeKey(genome.name, genome.digest) for genome in opened),
        params=params,
        model=facts.label,
        model_digest=facts.digest,
        calibration=_calibration_digest(facts.card),
        shard_nt=_width(request.shard_nt, output, overwrite),
        parts=parts.fact() if parts else None,
    )
    is_elsewhere = where == "ray" and "RAY_ADDRESS" in os.environ  # a cluster's nodes compile their own kernels
    kernels = [*scanning_kernels(params), *scoring_kernels(facts.card)]
    finds_loci = request.loci and key.calibration is not None
    shards = make_shards(opened, key, parts)
    make_executor: Callable[[], Executor] = partial(_on_ray, model, device, workers, kernels)
    if scorer is not None:
        make_executor = partial(InProcess, scorer)
    elif where == "cores":
        make_executor = partial(_on_cores, model, device, workers, max(1, len(shards)), kernels)
    table = Contigs.of((genome.name, *contig) for genome in opened for contig in genome.contigs)
    table = table.with_scanned(parts.intervals) if parts else table
    with (
        closing(Store(output, key, shards, table, overwrite=overwrite, adopt=adopt, mirror=mirror)) as store,
        closing(OnDemand(make_executor)) as executor,
    ):
        described = describe_model(model, facts)
        groups = {genome.name: request.groups.get(genome.name, genome.name) for genome in opened}
        own_decoys = Decoys(store, key, opened, parts, request.most_decoys, groups) if finds_loci else None
        run = Run(
            store,
            key,
            opened,
            shards,
            model=described,
            began=began,
            quiet=quiet,
            parts=parts,
            kernels=counting_kernels() if finds_loci else (),
            scan_kernels=() if is_elsewhere else kernels,
            loci=finds_loci,
            groups=groups,
            failed_genomes=failed,
            most_decoys=request.most_decoys if finds_loci else None,
            look=partial(_attention, scorer or model, executor) if finds_loci and request.report else None,
        )
        if own_decoys is None:
            return run.work_off(executor.get)
        return run.work_off(executor.get, partial(own_decoys.scan, executor.get, model=described, quiet=quiet))


def _load(model: str | os.PathLike, device: str) -> "Scorer":
    from mirsweep.model import load_model  # brings torch, which takes seconds

    return load_model(model, device=device)


def _attention(model: "Scorer | str | os.PathLike", executor: OnDemand, rows: pa.Table) -> list[np.ndarray] | None:
    """See :func:`mirsweep.jobs.sequences.explain.attention_by`: where the model is loaded, or else here."""
    if executor.made is not None:
        return executor.made.attention(rows)
    from mirsweep.jobs.sequences.explain import attention_by

    return attention_by(_load(model, "cpu") if isinstance(model, str | os.PathLike) else model, rows)


def _listed(asked: Selected) -> tuple:
    """One, or several; a lone string or path is one."""
    return (asked,) if isinstance(asked, str | os.PathLike) else tuple(asked)


def _length(genome: Genome) -> int:
    return sum(contig.length for contig in genome.contigs)


def _check_lengths(genomes: Iterable[Genome], parts: Parts | None, params: ScanParams) -> None:
    """Refuse genomes whose contigs are all too short for any hairpin."""
    lengths = {(genome.name, contig.name): contig.length for genome in genomes for contig in genome.contigs}
    longest = max(lengths[place] for place in (lengths if parts is None else parts.intervals))
    if longest < params.min_span:
        raise InputError(
            f"nothing can be scanned: the longest contig has {longest} nt, fewer than the shortest hairpin "
            f"(--min-span {params.min_span}); mirsweep score takes single hairpins."
        )


def _where(local: bool | None, workers: int | None, n_bases: int) -> str:
    """Who works: ``"local"``, this process; ``"cores"``, worker processes of this machine; ``"ray"``."""
    if local:
        return "local"
    names_cluster = local is False or "RAY_ADDRESS" in os.environ
    if not names_cluster and n_bases <= LOCAL_NT and (workers or 1) == 1:
        return "local"
    has_ray = find_spec("ray") is not None
    if names_cluster and not has_ray:
        warn("Ray is not installed, so this machine scans alone: `pip install ray` brings it.")
    return "ray" if names_cluster and has_ray else "cores"


def _check_spans(params: ScanParams, model: "ModelFacts | Scorer") -> None:
    longest = params.max_span + 2 * params.flank
    if longest > model.max_length:
        raise InputError(
            f"max-span {params.max_span} with flanks of {params.flank} nt is longer than the model {model.name} can "
            f"score: choose at most {model.max_length} nt."
        )


def _calibration_digest(card: dict[str, Any]) -> str | None:
    """sha256 of the card's calibration, on which the rows depend though it is no part of the weights."""
    calibration = card.get("calibration")
    return None if calibration is None else hashlib.sha256(json.dumps(calibration).encode()).hexdigest()


def _width(shard_nt: int | None, output: Path, overwrite: bool) -> int:
    """The width asked for; else that of the scan that is resumed; else the default."""
    if shard_nt is not None:
        return shard_nt
    return (None if overwrite else stored_shard_nt(output)) or SHARD_NT


def _n_workers() -> int:
    """A worker process a core, as far as there is memory."""
    n, free = n_cores(), free_bytes()
    n_fitting = n if free is None else max(1, free // WORKER_BYTES)
    if n_fitting < n:
        warn(f"there is memory for {n_fitting} worker processes, not for {n}, one a core: --workers N asks for more.")
    return min(n, n_fitting)


def _on_cores(
    model: str | os.PathLike, device: str, workers: int | None, most: int, kernels: Sequence[str]
) -> Executor:
    """Worker processes, at most ``most``; with a GPU no more than have room on it, unless more are asked for."""
    from mirsweep.jobs.scanning.gpus import visible_gpus, workers_on_gpus
    from mirsweep.jobs.scanning.on_cores import OnCores
    from mirsweep.jobs.scanning.weights import read_weights

    gpus = visible_gpus() if device == "cuda" else []
    if workers is None:
        workers = min(_n_workers(), workers_on_gpus()) if gpus else _n_workers()
    return OnCores(read_weights(model), workers=min(workers, most), kernels=kernels, gpus=gpus)


def _on_ray(model: str | os.PathLike, device: str, workers: int | None, kernels: Sequence[str]) -> Executor:
    from mirsweep.jobs.scanning.on_ray import OnRay
    from mirsweep.jobs.scanning.weights import read_weights

    return OnRay(read_weights(model), device=device, workers=workers, kernels=kernels)
