"""Where things lie in the output of a scan."""

import hashlib
import re
from pathlib import Path
from urllib.parse import quote

__all__ = [
    "CANDIDATES",
    "ERRORS",
    "PLAN",
    "RUN",
    "SHARDS",
    "TEMPORARY_SUFFIX",
    "contig_folder",
    "part_path",
    "record_path",
]

RUN = "run.json"
"""Parameters, versions, counts and timings; there only when the scan is complete."""
CANDIDATES = "candidates"
"""Folder of the Parquet dataset."""
ERRORS = "errors.jsonl"
"""One line a shard that failed for good; absent when there is none."""
SHARDS = "_shards"
"""Folder of what resuming needs; query engines ignore names that begin with an underscore."""
PLAN = f"{SHARDS}/plan.json"
"""What the run is; written first."""
TEMPORARY_SUFFIX = ".tmp"

_LONGEST_NAME = 200
"""Folder names may have 255 bytes on common file systems; some is left for "contig=" and the digest."""


def contig_folder(contig: str) -> str:
    """Name of a contig's folder: percent-encoded, so that a FASTA header never chooses a path; long names are cut.

    >>> contig_folder("../x|1")
    'contig=..%2Fx%7C1'
    """
    name = quote(contig, safe="")
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(contig.encode()).hexdigest()[:16]
        name = re.sub(r"%.?$", "", name[:_LONGEST_NAME]) + "~" + digest
    return f"contig={name}"


def part_path(contig: str, shard_id: str) -> Path:
    """Part file of a contig and shard, relative to the output."""
    return Path(CANDIDATES, contig_folder(contig), f"part-{shard_id}.parquet")


def record_path(shard_id: str) -> Path:
    """Commit record of a shard, relative to the output."""
    return Path(SHARDS, f"{shard_id}.json")
