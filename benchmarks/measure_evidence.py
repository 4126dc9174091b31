"""What reads add to a scan, on simulated libraries with a known truth, and what counting costs.

    python benchmarks/measure_evidence.py --scan cel_ce2_chrX=OUT --scan hsa_GRCh37_chr20=OUT

writes benchmarks/results/evidence.json. Finished scans are given; a chromosome without one is scanned first.
``simulated_reads.py`` states the model of the reads. True are the loci that recover a precursor of miRBase and those
that are made novel miRNAs; all others are false. The bundled model was trained on these chromosomes, so that the score
alone is better for the known ones than it would be elsewhere.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness import find_data, write_result
from mirsweep.jobs import evidence, query, read_loci
from mirsweep.jobs.evidence.combine import LOG_ODDS, MOST_BY_SCORE
from mirsweep.jobs.evidence.criteria import VERDICTS
from mirsweep.jobs.results.known import read_known
from mirsweep.jobs.results.loci_schema import SPAN_COLUMNS
from mirsweep.jobs.results.overlap import SortedIntervals, recovers
from simulated_reads import Hairpin, Interval, Library, genome_bases, novel_ones, simulate, write_library

CHROMOSOMES = ("cel_ce2_chrX", "hsa_GRCh37_chr20")
SEEDS = (1, 2, 3)
_BINS = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0)


class Truth(NamedTuple):
    """Of each locus whether it is known, and whether it is made a novel miRNA; bool, shape (n,)."""

    known: np.ndarray
    novel: np.ndarray


def measured(stem: str, output: Path, folder: Path) -> dict[str, Any]:
    """Figures of a chromosome: each library alone, and all together."""
    data = find_data()
    contig, bases = genome_bases(data / "genomes" / f"{stem}.fa.gz")
    known = data / "genomes" / f"{stem}.mirbase_v22.gff3"
    own = shutil.copytree(output, folder / stem)
    loci = read_loci(own, side_tables=False)
    is_known = known_loci(loci, known)
    others = hairpins_away_from(loci, known)
    hidden = hidden_hairpins(own, loci, known)
    novel = {hairpin.place for hairpin in novel_ones(others)}
    truth = Truth(is_known, np.array([place in novel for place in places_of(loci)]))
    figures: dict[str, Any] = {"n_loci": loci.num_rows, "n_known_loci": int(is_known.sum()), "n_novel": len(novel)}
    figures["libraries"] = {}
    bams, libraries = [], []
    for seed in SEEDS:
        mirbase = data / "hairpins" / "mirbase_v22.tsv.gz"
        libraries.append(simulate(np.random.default_rng(seed), bases, known, mirbase, others, hidden))
        bams.append(write_library(libraries[-1], folder / f"{stem}.{seed}.bam", contig, bases))
        table = evidence(own, bams[-1], quiet=True)
        figures["libraries"][str(seed)] = figures_of(table, loci, truth, libraries[-1:])
    rescued = folder / f"{stem}.rescued.parquet"
    figures["all three"] = figures_of(evidence(own, bams, rescue=rescued, quiet=True), loci, truth, libraries)
    figures["all three"]["rescue"] = rescue_figures(pq.read_table(rescued), novel_ones(hidden), hidden)
    figures["cost"] = cost(own, write_library(libraries[0], folder / "plain.bam", contig, bases, collapsed=False))
    return figures


def places_of(loci: pa.Table) -> list[Interval]:
    columns = (loci[name].to_pylist() for name in ("start", "end", "strand"))
    return [Interval(*each) for each in zip(*columns, strict=True)]


def hidden_hairpins(output: Path, loci: pa.Table, known: Path) -> list[Hairpin]:
    """Candidates with predicted arms, away from known precursors, that share no base with a locus or each other."""
    starts, ends = loci["start"].to_numpy(), loci["end"].to_numpy()
    taken = SortedIntervals.of(starts, ends)
    spared = [(locus.start - 200, locus.end + 200) for locus in read_known(known)]
    found: list[Hairpin] = []
    last = 0
    for row in query(output).to_pylist():
        spans = sorted((row[f"{name}_start"] or 0, row[f"{name}_end"] or 0) for name in ("mature", "star"))
        start, end = row["start"], row["end"]
        near = taken.about(start, end)
        is_free = start >= last and not (taken.ends[near] > start).any()
        if is_free and spans[0][1] and not any(low < end and start < high for low, high in spared):
            last = end
            found.append(Hairpin(Interval(start, end, row["strand"]), row["score"], (spans[0], spans[1])))
    return found


def rescue_figures(rescued: pa.Table, novel: list[Hairpin], hidden: list[Hairpin]) -> dict[str, int]:
    """How many of the novel miRNAs among candidates were rescued, and how many other candidates."""
    is_true = on_any(places_of(rescued), [hairpin.place for hairpin in novel], least=40)
    found = on_any([hairpin.place for hairpin in novel], places_of(rescued), least=40)
    return {
        "n_hidden": len(hidden),
        "n_novel": len(novel),
        "novel_rescued": int(found.sum()),
        "others_rescued": int((~is_true).sum()),
    }


def hairpins_away_from(loci: pa.Table, known: Path, *, least: int = 200) -> list[Hairpin]:
    """Loci with predicted arms that come nowhere near a known precursor, on either strand."""
    starts, ends = loci["start"].to_numpy(), loci["end"].to_numpy()
    near = np.zeros(loci.num_rows, bool)
    for locus in read_known(known):
        near |= (starts < locus.end + least) & (ends > locus.start - least)
    arms = list(zip(*(loci[name].to_pylist() for name in SPAN_COLUMNS), strict=True))
    scores = loci["locus_score"].to_pylist()
    return [
        Hairpin(place, scores[k], (arms[k][:2], arms[k][2:]))
        for k, place in enumerate(places_of(loci))
        if not near[k] and None not in arms[k]
    ]


def known_loci(loci: pa.Table, known: Path) -> np.ndarray:
    """Whether each locus recovers a known precursor; of several that do the best-scored one, as in ``compare``."""
    starts, ends, scores = (loci[name].to_numpy() for name in ("start", "end", "locus_score"))
    strands = np.array(loci["strand"].to_pylist())
    found = np.zeros(loci.num_rows, bool)
    for locus in read_known(known):
        rows = np.flatnonzero((strands == locus.strand) & recovers(starts, ends, locus.start, locus.end))
        if len(rows):
            found[rows[np.argmax(scores[rows])]] = True
    return found


def figures_of(table: pa.Table, loci: pa.Table, truth: Truth, libraries: list[Library]) -> dict[str, Any]:
    verdicts = np.array(table["evidence"].to_pylist())
    together = table["posterior"].to_numpy()
    by_reads = np.array([LOG_ODDS[each] for each in verdicts]) + 1e-3 * np.log1p(table["reads"].to_numpy())
    rankings = {"score alone": loci["locus_score"].to_numpy(), "reads alone": by_reads, "both": together}
    kinds, is_true, counts = kinds_of(loci, truth, libraries), truth.known | truth.novel, ~truth.novel
    return {
        "n_reads": [sum(library.reads.values()) for library in libraries],
        "verdicts": {
            kind: {verdict: int(((kinds == kind) & (verdicts == verdict)).sum()) for verdict in VERDICTS}
            for kind in sorted(set(kinds.tolist()))
        },
        "lacking_of_read_known": lacking(table, kinds),
        "average_precision": {
            name: {
                "known and novel": round(average_precision(values, is_true), 4),
                "known": round(average_precision(values[counts], truth.known[counts]), 4),
                "novel": round(average_precision(values[~truth.known], truth.novel[~truth.known]), 4),
            }
            for name, values in rankings.items()
        },
        "precision_recall": {name: curve(values, is_true) for name, values in rankings.items()},
        "posterior": posterior_bins(together, is_true),
    }


def posterior_bins(together: np.ndarray, is_true: np.ndarray) -> list[dict[str, float]]:
    """Share of true loci by posterior."""
    bins = np.clip(np.digitize(together, _BINS) - 1, 0, len(_BINS) - 2)
    return [
        {"from": low, "to": high, "n": int((bins == k).sum()), "true": round(float(is_true[bins == k].mean()), 4)}
        for k, (low, high) in enumerate(pairwise(_BINS))
        if (bins == k).any()
    ]


def kinds_of(loci: pa.Table, truth: Truth, libraries: list[Library]) -> np.ndarray:
    """What each locus is: known with ten reads or with fewer, novel, on what was degraded, or nothing of these."""
    kinds = np.full(loci.num_rows, "other", dtype=object)
    places = places_of(loci)
    n_of_known: dict[Interval, int] = {}
    for library in libraries:
        for kind in ("transcript", "structured RNA", "tRNA"):
            kinds[on_any(places, library.sources[kind])] = kind
        for place, n in library.n_of_known.items():
            n_of_known[place] = n_of_known.get(place, 0) + n
    has_reads = on_any(places, [place for place, n in n_of_known.items() if n >= 10])
    kinds[~truth.known & has_reads] = "overlaps a known one"
    kinds[truth.known] = "known, fewer than ten reads"
    kinds[truth.known & has_reads] = "known, ten reads or more"
    kinds[truth.novel] = "novel"
    return kinds


def on_any(places: list[Interval], sources: list[Interval], *, least: int = 30) -> np.ndarray:
    """Whether each place shares 30 nt with a source on its strand."""
    found = np.zeros(len(places), bool)
    starts, ends = (np.array([getattr(each, name) for each in places]) for name in ("start", "end"))
    strands = np.array([each.strand for each in places])
    for source in sources:
        found |= (strands == source.strand) & (np.minimum(ends, source.end) - np.maximum(starts, source.start) >= least)
    return found


def lacking(table: pa.Table, kinds: np.ndarray) -> dict[str, int]:
    """How many known loci with reads do not meet each criterion."""
    counts: dict[str, int] = {}
    for kind, criteria in zip(kinds.tolist(), table["criteria"].to_pylist(), strict=True):
        for each in criteria if kind == "known, ten reads or more" else ():
            if not each["met"]:
                counts[each["criterion"]] = counts.get(each["criterion"], 0) + 1
    return counts


def average_precision(values: np.ndarray, is_true: np.ndarray) -> float:
    true = is_true[np.argsort(-values, kind="stable")]
    return float((np.cumsum(true) / np.arange(1, len(true) + 1))[true].mean())


def curve(values: np.ndarray, is_true: np.ndarray) -> list[dict[str, float]]:
    """Precision where the recall first reaches each tenth."""
    true = np.cumsum(is_true[np.argsort(-values, kind="stable")])
    points = []
    for tenth in range(1, 11):
        n = int(np.argmax(true >= np.ceil(true[-1] * tenth / 10))) + 1
        points.append({"recall": tenth / 10, "precision": round(float(true[n - 1] / n), 4)})
    return points


def cost(output: Path, bam: Path) -> dict[str, Any]:
    """Seconds and memory of counting a plain library, beside samtools over the same intervals, best of three."""
    loci = read_loci(output, side_tables=False)
    bed = bam.with_suffix(".bed")
    columns = (loci[name].to_pylist() for name in ("contig", "start", "end"))
    bed.write_text("".join(f"{contig}\t{start}\t{end}\n" for contig, start, end in zip(*columns, strict=True)))
    runs = [_run([sys.executable, "-c", _COUNT, str(output), str(bam)]) for _ in range(3)]
    told = [json.loads(text) for _, text in runs]
    view = min(_run(["samtools", "view", "-M", "-L", str(bed), str(bam)])[0] for _ in range(3))
    counting = min(each["seconds"] for each in told)
    return {
        "n_loci": loci.num_rows,
        "n_reads": int(_run(["samtools", "view", "-c", str(bam)])[1]),
        "n_reads_on_loci": int(_run(["samtools", "view", "-c", "-M", "-L", str(bed), str(bam)])[1]),
        "bam_mb": round(bam.stat().st_size / 1e6, 1),
        "seconds": round(counting, 2),
        "seconds_with_the_start_of_python": round(min(seconds for seconds, _ in runs), 2),
        "samtools_view_seconds": round(view, 2),
        "ratio": round(counting / view, 2),
        "peak_mb": round(max(each["peak_mb"] for each in told)),
        "peak_mb_before": round(max(each["peak_mb_before"] for each in told)),
    }


_COUNT = """
import json, re, sys, time
from pathlib import Path
from mirsweep.jobs import evidence, query, read_loci
read_loci(sys.argv[1])
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before, began = peak(), time.perf_counter()
evidence(sys.argv[1], sys.argv[2], quiet=True)
print(json.dumps({"seconds": time.perf_counter() - began, "peak_mb": peak(), "peak_mb_before": before}))
"""


def _run(command: list[str]) -> tuple[float, str]:
    """Seconds of a command, and what it printed."""
    began = time.perf_counter()
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return time.perf_counter() - began, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", action="append", default=[], metavar="STEM=OUT")
    parser.add_argument("--only", choices=CHROMOSOMES, action="append")
    options = parser.parse_args()
    given = dict(each.split("=", 1) for each in options.scan)
    figures: dict[str, Any] = {"rule": {"log_odds": LOG_ODDS, "most_by_score": MOST_BY_SCORE}, "seeds": SEEDS}
    with tempfile.TemporaryDirectory() as folder:
        for stem in options.only or CHROMOSOMES:
            output = Path(given[stem]) if stem in given else _scanned(stem, Path(folder))
            figures[stem] = measured(stem, output, Path(folder))
            print(stem, figures[stem]["all three"]["average_precision"], figures[stem]["cost"], flush=True)
    write_result("evidence", figures)


def _scanned(stem: str, folder: Path) -> Path:
    from mirsweep.jobs import scan

    return Path(scan(find_data() / "genomes" / f"{stem}.fa.gz", output=folder / f"scan-{stem}", report=False).output)


if __name__ == "__main__":
    main()
