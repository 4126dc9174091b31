"""Whole jobs: scanning, scoring, querying, comparing, training; each a function and a command of the same name."""

from mirsweep.jobs.compare import Comparison, compare
from mirsweep.jobs.demo import DemoReport, demo
from mirsweep.jobs.driver import scan
from mirsweep.jobs.explain import explain
from mirsweep.jobs.query import query
from mirsweep.jobs.reproduce import ReproduceReport, reproduce
from mirsweep.jobs.run import Interrupted, ScanReport
from mirsweep.jobs.scoring import score
from mirsweep.jobs.training import TrainReport, evaluate, train

__all__ = [
    "Comparison",
    "DemoReport",
    "Interrupted",
    "ReproduceReport",
    "ScanReport",
    "TrainReport",
    "compare",
    "demo",
    "evaluate",
    "explain",
    "query",
    "reproduce",
    "scan",
    "score",
    "train",
]
