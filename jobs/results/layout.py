"""Where things lie in the output of a scan."""

from pathlib import Path

__all__ = [
    "ANNOTATION",
    "CANDIDATES",
    "CLAIMS",
    "CONTIGS",
    "DECOYS",
    "ERRORS",
    "EVIDENCE",
    "FAILED_GENOMES",
    "FORMAT",
    "HEARTBEAT",
    "INDEX",
    "INDEX_SUFFIXES",
    "LOCI",
    "LOCI_FILES",
    "PLAN",
    "RECORDS",
    "REPORT",
    "RUN",
    "SHARDS",
    "SIDE_TABLES",
    "TEMPORARY_SUFFIX",
    "part_name",
    "part_path",
    "record_path",
    "shard_of_part",
]

FORMAT = 2
"""Number of this layout; in 1 each contig had a folder, see :mod:`mirsweep.jobs.results.contig_folders`."""
RUN = "run.json"
"""Parameters, versions, counts and timings; there only when the scan is complete."""
CANDIDATES = "candidates"
"""Folder of the Parquet dataset."""
CONTIGS = "contigs.parquet"
"""The contigs of the scan in its order: genome, contig, length."""
ERRORS = "errors.jsonl"
"""One line a shard that failed for good; absent when there is none."""
FAILED_GENOMES = "failed_genomes.tsv"
"""The genomes that could not be read, as a manifest; absent when there is none."""
LOCI = "loci.parquet"
"""The loci: one row for each place and strand that candidates compete for."""
ANNOTATION = "annotation.parquet"
"""What `mirsweep annotate` found of the loci: names, overlaps with features."""
EVIDENCE = "evidence.parquet"
"""What small-RNA reads say of the loci."""
SIDE_TABLES = {ANNOTATION: "mirsweep annotate", EVIDENCE: "mirsweep evidence"}
"""Tables with one row a locus, which are joined with the loci when these are read; by file name what writes it."""
LOCI_FILES = {
    "loci.gff3.gz": "gff3",
    "loci.bed.gz": "bed",
    "loci.fa": "fasta",
    "mature.fa": "arms-fasta",
    "loci.tsv": "tsv",
}
"""The likeliest loci, by file name its format; tables best first, tracks by position and with an index."""
REPORT = "report.html"
"""The page of the scan, to look at."""
INDEX_SUFFIXES = (".tbi", ".csi")
"""What is appended to the name of a track for that of its index."""
DECOYS = "_decoys"
"""Folder of the scan of decoys, an output of its own within the output."""
SHARDS = "_shards"
"""Folder of what resuming needs; query engines ignore names that begin with an underscore."""
PLAN = f"{SHARDS}/plan.json"
"""What the run is; written first."""
HEARTBEAT = f"{SHARDS}/heartbeat.json"
"""How far a running scan is, written every few seconds; gone when it is complete."""
CLAIMS = f"{SHARDS}/claims"
"""Folder, in an object store, of who works on the output."""
RECORDS = f"{SHARDS}/records.jsonl"
"""The commit records of a complete scan, one a line; until then each is in a file of its own."""
INDEX = f"{SHARDS}/parts.parquet"
"""What each part file holds, for quick queries; the commit records together, in one file."""
TEMPORARY_SUFFIX = ".tmp"


def part_name(shard_id: str, attempt: str = "") -> str:
    """File name of a shard's part; in the order of their names, parts are in the genome's order.

    Parameters
    ----------
    attempt
        Tells apart what several workers write of a shard where nothing can be renamed; the commit record names it.

    >>> part_name("000012-95f3"), part_name("000012-95f3", "7c1e")
    ('part-000012-95f3.parquet', 'part-000012-95f3.7c1e.parquet')
    """
    return f"part-{shard_id}{'.' if attempt else ''}{attempt}.parquet"


def part_path(shard_id: str, attempt: str = "") -> Path:
    """Part file of a shard, relative to the output; no name of a genome or contig has a share in it."""
    return Path(CANDIDATES, part_name(shard_id, attempt))


def shard_of_part(name: str) -> str:
    """Id of the shard of a part file.

    >>> shard_of_part("part-000012-95f3.parquet"), shard_of_part("part-000012-95f3.7c1e.parquet")
    ('000012-95f3', '000012-95f3')
    """
    return name.removeprefix("part-").partition(".")[0]


def record_path(shard_id: str) -> Path:
    """Commit record of a shard of a scan that goes on, relative to the output."""
    return Path(SHARDS, f"{shard_id}.json")
