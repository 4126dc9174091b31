"""Whole jobs: scanning, scoring, querying, comparing, training; each a function and a command of the same name."""

from typing import TYPE_CHECKING

from mirsweep._lazy import load_lazily

if TYPE_CHECKING:
    from mirsweep.jobs.annotate.annotate import annotate
    from mirsweep.jobs.demo.demo import DemoReport, demo
    from mirsweep.jobs.evidence.evidence import evidence
    from mirsweep.jobs.paper.reproduce import ReproduceReport, reproduce
    from mirsweep.jobs.report.draw import draw
    from mirsweep.jobs.report.report import report
    from mirsweep.jobs.report.show import Hairpins, show
    from mirsweep.jobs.results.compare import Comparison, compare
    from mirsweep.jobs.results.dataset import read_candidates, read_loci
    from mirsweep.jobs.results.query import query
    from mirsweep.jobs.results.tracks import tracks
    from mirsweep.jobs.scanning.check import Checked, check
    from mirsweep.jobs.scanning.loci_again import loci
    from mirsweep.jobs.scanning.plan import Plan, plan
    from mirsweep.jobs.scanning.run import Interrupted, ScanReport
    from mirsweep.jobs.scanning.scan import scan
    from mirsweep.jobs.scanning.status import Status, status
    from mirsweep.jobs.sequences.explain import explain
    from mirsweep.jobs.sequences.score import score
    from mirsweep.jobs.sequences.train import Evaluation, TrainReport, evaluate, train
    from mirsweep.jobs.training.adapt import Adapted, adapt
    from mirsweep.jobs.training.mine import Mined, mine
    from mirsweep.jobs.training.plant import Planted, plant

__all__ = [
    "Adapted",
    "Checked",
    "Comparison",
    "DemoReport",
    "Evaluation",
    "Hairpins",
    "Interrupted",
    "Mined",
    "Plan",
    "Planted",
    "ReproduceReport",
    "ScanReport",
    "Status",
    "TrainReport",
    "adapt",
    "annotate",
    "check",
    "compare",
    "demo",
    "draw",
    "evaluate",
    "evidence",
    "explain",
    "loci",
    "mine",
    "plan",
    "plant",
    "query",
    "read_candidates",
    "read_loci",
    "report",
    "reproduce",
    "scan",
    "score",
    "show",
    "status",
    "tracks",
    "train",
]

load_lazily(
    __name__,
    {
        "Adapted": "mirsweep.jobs.training.adapt",
        "Checked": "mirsweep.jobs.scanning.check",
        "Comparison": "mirsweep.jobs.results.compare",
        "DemoReport": "mirsweep.jobs.demo.demo",
        "Evaluation": "mirsweep.jobs.sequences.train",
        "Hairpins": "mirsweep.jobs.report.show",
        "Interrupted": "mirsweep.jobs.scanning.run",
        "Mined": "mirsweep.jobs.training.mine",
        "Plan": "mirsweep.jobs.scanning.plan",
        "Planted": "mirsweep.jobs.training.plant",
        "ReproduceReport": "mirsweep.jobs.paper.reproduce",
        "ScanReport": "mirsweep.jobs.scanning.run",
        "Status": "mirsweep.jobs.scanning.status",
        "TrainReport": "mirsweep.jobs.sequences.train",
        "adapt": "mirsweep.jobs.training.adapt",
        "annotate": "mirsweep.jobs.annotate.annotate",
        "check": "mirsweep.jobs.scanning.check",
        "compare": "mirsweep.jobs.results.compare",
        "demo": "mirsweep.jobs.demo.demo",
        "draw": "mirsweep.jobs.report.draw",
        "evaluate": "mirsweep.jobs.sequences.train",
        "evidence": "mirsweep.jobs.evidence.evidence",
        "explain": "mirsweep.jobs.sequences.explain",
        "loci": "mirsweep.jobs.scanning.loci_again",
        "mine": "mirsweep.jobs.training.mine",
        "plan": "mirsweep.jobs.scanning.plan",
        "plant": "mirsweep.jobs.training.plant",
        "query": "mirsweep.jobs.results.query",
        "read_candidates": "mirsweep.jobs.results.dataset",
        "read_loci": "mirsweep.jobs.results.dataset",
        "report": "mirsweep.jobs.report.report",
        "reproduce": "mirsweep.jobs.paper.reproduce",
        "scan": "mirsweep.jobs.scanning.scan",
        "score": "mirsweep.jobs.sequences.score",
        "show": "mirsweep.jobs.report.show",
        "status": "mirsweep.jobs.scanning.status",
        "tracks": "mirsweep.jobs.results.tracks",
        "train": "mirsweep.jobs.sequences.train",
    },
)
