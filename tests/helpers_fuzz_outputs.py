"""Readers of a scan's output: run.json, plan, commit records, contigs, index, parts, loci, decoys."""

import hashlib
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
from hypothesis import strategies as st

from helpers_fuzz import Content, Files, Reader, mutated, mutated_json
from helpers_fuzz_tables import mutated_parquet
from helpers_fuzz_texts import odd_or
from helpers_jobs import make_model, scan, slice_bases, split_records, write_fasta
from mirsweep.jobs import compare, query, read_candidates, read_loci
from mirsweep.jobs.report.chosen import best_loci
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.inspect import inspect_output
from mirsweep.jobs.results.layout import CANDIDATES, CONTIGS, DECOYS, INDEX, LOCI, PLAN, RUN, SHARDS
from mirsweep.jobs.results.records import record_bytes
from mirsweep.jobs.scanning.store import stored_shard_nt
from mirsweep.model.errors import ModelError
from mirsweep.scanner.errors import InputError

__all__ = ["OUTPUT_READERS"]

_CALIBRATION = {"score": [0.1, 0.5, 0.9], "fp_per_mb": [1000.0, 10.0, 0.1]}


@cache
def _output() -> dict[str, bytes]:
    """By name the files of a finished scan in three parts, with loci and decoys."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        genome = write_fasta(folder / "g.fa", {"c": slice_bases(9_000, 17_000), "d": slice_bases(30_000, 33_000)})
        model = make_model(folder / "m.safetensors", calibration=_CALIBRATION)
        out = folder / "out"
        scan(genome, output=out, model=model, local=True, quiet=True, shard_nt=4_000, decoys=4_000)
        split_records(out)
        return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def _records() -> list[str]:
    return [name for name in _output() if name.startswith(f"{SHARDS}/0")]


def _parts() -> list[str]:
    return [name for name in _output() if name.startswith(f"{CANDIDATES}/part-")]


def _table(name: str) -> Any:
    return pq.read_table(io.BytesIO(_output()[name]))


@st.composite
def _damaged_json(draw: st.DrawFn) -> Files:
    """run.json, plan, records, those of the decoys too: one or two of them changed or something else."""
    names = [RUN, PLAN, *_records(), f"{DECOYS}/{RUN}", f"{DECOYS}/{PLAN}"]
    files: dict[str, Content | None] = dict(_output())
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=2)):
        files[name] = draw(odd_or(mutated_json(json.loads(_output()[name]))))
    for name in draw(st.sampled_from(((), (), (CONTIGS,), (INDEX,), (CONTIGS, INDEX)))):
        files[name] = None
    return files


@st.composite
def _damaged_tables(draw: st.DrawFn) -> Files:
    """contigs.parquet or the index of the parts changed, whatever run.json tells of them."""
    files: dict[str, Content | None] = dict(_output())
    run = json.loads(_output()[RUN])
    name = draw(st.sampled_from((CONTIGS, INDEX)))
    files[name] = draw(odd_or(mutated_parquet(_table(name))))
    files[RUN] = json.dumps(_retold(run, name, files[name])).encode()
    return files


def _retold(run: dict[str, Any], name: str, content: Content | None) -> dict[str, Any]:
    """run.json with size and digest of a file as it is now."""
    if isinstance(content, bytes):
        digest = hashlib.sha256(content).hexdigest()
        return run | {"digests": run["digests"] | {name: {"bytes": len(content), "sha256": digest}}}
    return run


@st.composite
def _forged_parts(draw: st.DrawFn) -> Files:
    """A part changed, with a record that tells its size, rows and digest; sometimes without index or run.json."""
    files: dict[str, Content | None] = dict(_output())
    name = draw(st.sampled_from(_parts()))
    content = draw(odd_or(mutated_parquet(_table(name))))
    files[name] = content
    record = f"{SHARDS}/{Path(name).stem.removeprefix('part-')}.json"
    run = json.loads(_output()[RUN])
    if isinstance(content, bytes):
        told = json.loads(_output()[record])
        rows = _n_rows(content)
        run["counts"]["n_candidates"] += (told["part"]["rows"] if rows is None else rows) - told["part"]["rows"]
        told["part"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        told["part"]["rows"] = told["part"]["rows"] if rows is None else rows
        del told["sha256"]
        files[record] = record_bytes(told)
        del run["digests"][INDEX]
    files[INDEX] = None
    files[RUN] = json.dumps(run).encode() if draw(st.integers(0, 4)) else None
    return files


def _n_rows(content: bytes) -> int | None:
    try:
        return int(pq.ParquetFile(io.BytesIO(content)).metadata.num_rows)
    except Exception:  # whatever a damaged file ends in
        return None


@st.composite
def _forged_loci(draw: st.DrawFn) -> Files:
    """loci.parquet changed, with a run.json that tells its size, rows and digest."""
    files: dict[str, Content | None] = dict(_output())
    content = files[LOCI] = draw(odd_or(mutated_parquet(_table(LOCI))))
    run = _retold(json.loads(_output()[RUN]), LOCI, content)
    rows = _n_rows(content) if isinstance(content, bytes) else None
    if rows is not None:
        run["loci"]["n_loci"] = rows
    files[RUN] = json.dumps(run).encode()
    return files


@st.composite
def _first_layout(draw: st.DrawFn) -> Files:
    """An output of the first layout, with a folder for each contig."""
    names = st.sampled_from(("c", "d", "..", "%2F", "x" * 200))
    files: dict[str, Content | None] = {
        f"{CANDIDATES}/contig={draw(names)}/part-00000{k}-x.parquet": draw(odd_or(mutated_parquet(_table(_parts()[k]))))
        for k in range(2)
    }
    run = {"genomes": [{"name": "g", "contigs": {"c": 8000, "d": 3000}}], "counts": {"n_candidates": 1, "n_scanned": 9}}
    return files | {RUN: draw(st.one_of(mutated_json(run), st.just(json.dumps(run).encode())))}


_KNOWN = b"c\t100\t200\tx\t0\t+\nd\t5\t90\ty\t0\t-\n"
_FORMATS_SQL = "SELECT contig, count(*), max(score), min(sequence) FROM candidates GROUP BY contig"


def _read_output(folder: Path) -> None:
    """All that looks at an output; each may refuse."""
    known = folder / "known.bed"
    known.write_bytes(_KNOWN)
    looks: list[Callable[[], Any]] = [
        lambda: inspect_output(folder),
        lambda: query(folder).to_pylist(),
        lambda: query(folder, region="c:1-500", min_score=0.1).to_pylist(),
        lambda: query(folder, sort="score", distinct=True, limit=5).to_pylist(),
        lambda: query(folder, sql=_FORMATS_SQL).to_pylist(),
        lambda: read_candidates(folder, columns=["start", "sequence"]).to_pylist(),
        lambda: read_loci(folder).to_pylist(),
        lambda: query(folder, loci=True, sort="score", max_fp_per_mb="strict").to_pylist(),
        lambda: compare(folder, known).as_json(),
        lambda: compare(folder, known, loci=True).as_json(),
        lambda: best_loci(folder, 2).to_pylist(),
        lambda: open_output(folder).decoys,
        lambda: stored_shard_nt(folder),
    ]
    refusals = []
    for look in looks:
        try:
            look()
        except (InputError, ModelError) as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _mutated_file(name: str) -> st.SearchStrategy[Files]:
    """The output with the bytes of one file damaged, and nothing else."""
    return mutated(_output()[name]).map(lambda content: _output() | {name: content})


OUTPUT_READERS = (
    Reader("output-json", st.deferred(_damaged_json), _read_output),
    Reader("output-tables", st.deferred(_damaged_tables), _read_output),
    Reader("output-parts", st.deferred(_forged_parts), _read_output),
    Reader("output-loci", st.deferred(_forged_loci), _read_output),
    Reader("output-first-layout", st.deferred(_first_layout), _read_output),
    Reader(
        "output-bytes",
        st.deferred(lambda: st.sampled_from([n for n in _output() if n != RUN]).flatmap(_mutated_file)),
        _read_output,
    ),
)
