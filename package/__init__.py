"""Genome-scale scanning for candidate precursor microRNAs: FASTA in, a Parquet dataset of scored hairpins out.

The functions of :mod:`mirsweep.jobs` are here too (``mirsweep.scan``, ``mirsweep.query``, ...), loaded on first use.
"""

from importlib.metadata import version as _version
from typing import TYPE_CHECKING

from mirsweep._lazy import load_lazily

if TYPE_CHECKING:
    from mirsweep.jobs import (
        adapt,
        annotate,
        check,
        compare,
        demo,
        draw,
        evaluate,
        evidence,
        explain,
        loci,
        mine,
        plan,
        plant,
        query,
        read_candidates,
        read_loci,
        report,
        reproduce,
        scan,
        score,
        show,
        status,
        tracks,
        train,
    )

__all__ = [
    "__version__",
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

__version__ = _version("mirsweep")

load_lazily(__name__, {name: "mirsweep.jobs" for name in __all__ if name != "__version__"})
