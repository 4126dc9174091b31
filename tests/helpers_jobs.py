"""What the tests of the jobs share: small real genomes, a small real model, rows to compare, running processes."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from mirsweep.jobs.demo.demo import DATA
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.layout import CONTIGS, RECORDS, RUN, part_path, record_path
from mirsweep.jobs.results.query import query
from mirsweep.jobs.scanning.scan import scan as scan_with_decoys
from mirsweep.jobs.scanning.shard_work import pack
from mirsweep.model.checkpoint import save
from mirsweep.model.net import Net, NetConfig

CALIBRATION = {"score": [0.1, 0.5, 0.9], "fp_per_mb": [1000.0, 10.0, 0.1]}
"""Of a model whose scans are to have loci."""
SLICE = DATA / "slice.fa.gz"
scan = partial(scan_with_decoys, decoys="none", report=False)
"""A scan without decoys, which takes half the time, and without its page; those of test_decoys.py and test_report.py
have them."""


def slice_bases(start: int, end: int) -> str:
    """Bases of the demo's slice, 0-based half-open."""
    with gzip.open(SLICE, "rt") as stream:
        stream.readline()
        return stream.read().replace("\n", "")[start:end]


def write_fasta(path: Path, records: dict[str, str], *, width: int = 60) -> Path:
    lines = []
    for name, bases in records.items():
        lines += [f">{name}", *(bases[i : i + width] for i in range(0, len(bases), width))]
    path.write_text("\n".join(lines) + "\n")
    return path


def make_model(path: Path, *, calibration: dict[str, list[float]] | None = None) -> Path:
    """An untrained network with small dense layers, whose scores differ from hairpin to hairpin."""
    net = Net(NetConfig(n_dense1=8, n_dense2=8))
    generator = torch.Generator().manual_seed(1)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    save(path, net, data="none", licence="none", protocol="untrained", metrics={}, calibration=calibration)
    return path


def write_output(
    folder: Path,
    parts: Sequence[pa.Table],
    contigs: Mapping[str, int],
    *,
    genome: str = "g",
    counts: Mapping[str, int] | None = None,
) -> Path:
    """A complete output of made-up candidates, without index and commit records: parts in the genome's order."""
    for number, table in enumerate(parts):
        write_atomically(folder / part_path(f"{number:06d}-x"), pack(table))
    write_contigs(folder, {genome: contigs})
    run = {
        "genomes": [{"name": genome}],
        "counts": counts or {"n_candidates": sum(p.num_rows for p in parts), "n_scanned": 0},
    }
    write_atomically(folder / RUN, json.dumps(run).encode())
    return folder


def write_contigs(folder: Path, genomes: Mapping[str, Mapping[str, int]]) -> None:
    """contigs.parquet of the contigs' lengths by genome."""
    contigs = Contigs.of((genome, *item) for genome, lengths in genomes.items() for item in lengths.items())
    pq.write_table(contigs.table, folder / CONTIGS)


def rows(output: Path | str) -> pa.Table:
    """All rows of an output, by place, plain strings."""
    table = query(output)
    return table.cast(pa.schema([(f.name, _plain(f.type)) for f in table.schema])).combine_chunks()


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


def assert_same_rows(one: Path | str, other: Path | str) -> None:
    """Invariant 1: everything identical, scores within 1e-5, and what follows from them accordingly."""
    left, right = rows(one), rows(other)
    confidences = ["arm_confidence", "arm_5p_confidence", "arm_3p_confidence"]
    inexact = ["score", "expected_fp_per_mb", *confidences]
    assert left.drop_columns(inexact).equals(right.drop_columns(inexact))
    np.testing.assert_allclose(left["score"].to_numpy(), right["score"].to_numpy(), rtol=0, atol=1e-5)
    for name in confidences:  # to two decimals
        np.testing.assert_allclose(left[name].to_numpy(), right[name].to_numpy(), rtol=0, atol=0.0101)
    one_rate, other_rate = (table["expected_fp_per_mb"].to_numpy() for table in (left, right))
    np.testing.assert_allclose(one_rate, other_rate, rtol=1e-3)


def mirsweep(*arguments: Any, **options: Any) -> subprocess.CompletedProcess:
    """Run the installed command to its end."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=240, check=False, **options)


def start_mirsweep(*arguments: Any) -> subprocess.Popen:
    """Start the installed command in a process group of its own, as a terminal would."""
    return start(command(*arguments))


def start(words: list[str]) -> subprocess.Popen:
    """Start a program in a process group of its own."""
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )


def _heed_interrupts() -> None:
    """Tests run in the background of a shell, or under nohup, ignore signals, which what they start would inherit."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def command(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "mirsweep.jobs.cli.main", *map(str, arguments)]


def wait_until(condition: Callable[[], Any], process: subprocess.Popen, *, seconds: float = 120) -> Any:
    """First true value of a condition, while the process runs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.002)
    raise AssertionError("nothing happened in time")


def split_records(output: Path) -> Path:
    """Put each commit record into a file of its own, as they are while a scan goes on."""
    for line in (output / RECORDS).read_bytes().splitlines():
        (output / record_path(json.loads(line)["shard"])).write_bytes(line)
    (output / RECORDS).unlink()
    return output


def scanned_intervals(output: Path) -> dict[str, list[list[int]]]:
    """By contig what was scanned of a genome."""
    return {contig: intervals for (_, contig), intervals in open_output(output).parts.items()}


def n_committed(output: Path) -> int:
    return len(list((output / "_shards").glob("0*.json")))


def kill(process: subprocess.Popen) -> None:
    """kill -9 of the driver alone."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def descendants(pid: int, title: str) -> list[int]:
    """Processes below ``pid`` whose command line begins with ``title``."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            todo += [int(child) for child in _read(task).split()]
        if _read(Path(f"/proc/{parent}/cmdline")).startswith(title):
            found.append(parent)
    return found


def programs_of(pid: int, name: str) -> list[int]:
    """Processes below one whose command begins with a program of this name, or with a title (``ray``: any of Ray's
    workers; ``ray::scan_task``: those that do this)."""
    title = name if "::" in name else f"{name}::"
    found = []
    for each in descendants(pid, ""):
        try:
            words = Path(f"/proc/{each}/cmdline").read_text().split("\0")
        except OSError:  # it has just ended
            continue
        if os.path.basename(words[0]) == name or words[0].startswith(title):
            found.append(each)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has just ended
        return ""
