"""Whole jobs: scanning, scoring, querying, comparing, training; each a function and a command of the same name."""

from mirsweep.jobs.compare import Comparison, compare
from mirsweep.jobs.demo import DemoReport, demo
from mirsweep.jobs.driver import scan
from mirsweep.jobs.explain import explain
from mirsweep.jobs.genome_training import GenomeTraining, train_on_genome
from mirsweep.jobs.mining import Mined, mine
from mirsweep.jobs.positives import plant_to as plant
from mirsweep.jobs.query import query
from mirsweep.jobs.reproduce import ReproduceReport, reproduce
from mirsweep.jobs.run import Interrupted, ScanReport
from mirsweep.jobs.scoring import score
from mirsweep.jobs.training import TrainReport, evaluate, train

__all__ = [
    "Comparison",
    "DemoReport",
    "GenomeTraining",
    "Interrupted",
    "Mined",
    "ReproduceReport",
    "ScanReport",
    "TrainReport",
    "compare",
    "demo",
    "evaluate",
    "explain",
    "mine",
    "plant",
    "query",
    "reproduce",
    "scan",
    "score",
    "train",
    "train_on_genome",
]
