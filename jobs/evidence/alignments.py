"""BAM and CRAM of small-RNA reads: whether they fit the scan, and how much an alignment counts."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mirsweep.jobs.evidence.bai import check_bai
from mirsweep.jobs.evidence.libraries import Library
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.names import did_you_mean, some
from mirsweep.regular import check_regular
from mirsweep.scanner.errors import InputError, cause_of
from mirsweep.scanner.text import explained

if TYPE_CHECKING:
    import pysam

__all__ = ["LONGEST_READ", "UNCOUNTED", "Source", "check_library", "opened", "reads_in", "weigher"]

Weigh = Callable[["pysam.AlignedSegment"], float]
"""How much an alignment counts."""
LONGEST_READ = 50
"""A longer alignment is no small RNA, nt: Dicer's products have 20 to 26, piRNAs up to 32, halves of tRNAs up to 40."""
UNCOUNTED = 0x4 | 0x80 | 0x200 | 0x800
"""Flags of alignments that count nothing: unmapped, second of a pair, failed, supplementary."""
_SAMPLED = 2000
_COLLAPSED = re.compile(r".*_x([0-9]{1,12})|[0-9]+-([0-9]{1,12})")
"""Names of collapsed reads: miRDeep2's ``cel_12_x345`` and fastx_collapser's ``12-345``."""


class Source(NamedTuple):
    """A library, and how its alignments are to be read.

    Attributes
    ----------
    reference
        FASTA that a CRAM is decoded with; None for BAM.
    is_collapsed
        Whether names of reads tell how many there are.
    places_tag
        Tag with the number of places that a read has; None if there is none.
    """

    library: Library
    reference: str | None
    is_collapsed: bool
    places_tag: str | None

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.library.path


@contextmanager
def opened(path: Path, reference: str | None) -> "Iterator[pysam.AlignmentFile]":
    """Open a file of alignments; what fails while it is read becomes a sentence.

    Raises
    ------
    InputError
        If it cannot be read, or is cut short.
    """
    import pysam

    if reference is not None:
        os.environ.setdefault("REF_PATH", os.devnull)  # else some versions of htslib ask a server for what it lacks
    verbosity = pysam.set_verbosity(0)  # htslib's own messages
    file = None
    try:
        with _no_notes():
            file = pysam.AlignmentFile(str(path), reference_filename=reference)
        yield file
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(_sentence(path, error)) from error
    finally:
        if file is not None:
            with suppress(OSError):  # of a damaged file, which the reading has told
                file.close()
        pysam.set_verbosity(verbosity)


@contextmanager
def _no_notes() -> Iterator[None]:
    """What fails to open is also told by pysam while it is thrown away, on standard error."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _sentence(path: Path, error: Exception) -> str:
    cause = cause_of(error)
    if path.suffix == ".cram":
        return f"{path}: is cut short, or was made with another FASTA than --reference names ({cause}): name that one."
    if "EOF" in cause or "truncated" in cause:
        return f"{path}: is cut short ({cause}): make it anew."
    return f"{path}: cannot be read as BAM or CRAM ({cause}): give sorted and indexed alignments of small-RNA reads."


def check_library(
    library: Library, contigs: Mapping[str, int], with_loci: frozenset[str], *, reference: str | os.PathLike | None
) -> Source:
    """Make sure that a library was mapped to the genome of the scan, and see how its alignments count.

    Parameters
    ----------
    contigs
        Length of each contig of the scan, nt.
    with_loci
        Contigs with loci.
    reference
        FASTA that CRAM is decoded with.

    Raises
    ------
    InputError
        If the file is no sorted and indexed BAM or CRAM, is of another assembly, or has no or other than small-RNA
        reads.
    """
    path = library.path
    if not path.exists():
        raise InputError(f"{path}: no such file; give a BAM or CRAM of small-RNA reads.")
    for each in (path, *_indices(path)):
        with explained(each):
            check_regular(each)
    check_bai(path)
    fasta = None if reference is None else str(reference)
    if fasta is not None and not os.path.isfile(fasta):
        raise InputError(f"{fasta}: no such file; --reference is the FASTA that the reads were mapped to.")
    with opened(path, fasta) as file:
        if file.is_cram and fasta is None:
            raise InputError(f"{path}: a CRAM needs the FASTA that it was made with: name it with --reference.")
        _check_order(file, path)
        _check_contigs(dict(zip(file.references, file.lengths, strict=True)), contigs, with_loci, path)
        first = list(islice(_counted(file.fetch(until_eof=True)), _SAMPLED))
        _check_reads(first, path)
        tag = _places_tag(file.header.to_dict(), first)
        if tag is None:
            warn(f"{path}: tells not how many places a read has (no tag NH): reads of repeats count in full at each.")
        is_collapsed = all(_COLLAPSED.fullmatch(read.query_name or "") for read in first)
        return Source(library, fasta if file.is_cram else None, is_collapsed, tag)


def _check_order(file: "pysam.AlignmentFile", path: Path) -> None:
    order = file.header.to_dict().get("HD", {}).get("SO", "unknown")
    has_index = False
    with suppress(ValueError, OSError):
        has_index = not file.is_sam and file.has_index()
    if file.is_sam or order in ("queryname", "unsorted") or (not has_index and order != "coordinate"):
        raise InputError(
            f"{path}: is not sorted by place ({'SAM' if file.is_sam else f'order {order}'}): samtools sort -o "
            f"sorted.bam {path}, then samtools index sorted.bam."
        )
    if not has_index:
        raise InputError(f"{path}: has no index: samtools index {path} makes it.")
    for index in _indices(path):
        if index.stat().st_mtime < path.stat().st_mtime:
            warn(f"{index}: is older than what it is the index of: samtools index {path} makes it anew.")


def _indices(path: Path) -> list[Path]:
    """The files that htslib may take for its index."""
    names = [
        name for suffix in (".bai", ".csi", ".crai") for name in (Path(f"{path}{suffix}"), path.with_suffix(suffix))
    ]
    return [name for name in names if name.exists()]


def _check_contigs(
    mapped: Mapping[str, int], contigs: Mapping[str, int], with_loci: frozenset[str], path: Path
) -> None:
    shared = [name for name in contigs if name in mapped]
    if not shared:
        first = next(iter(mapped), "")
        hint = f"; of {first!r}: {did_you_mean(first, contigs)}" if first else ""
        raise InputError(
            f"{path}: none of its contigs ({some(list(mapped)) or 'it has none'}) is in the scan "
            f"({some(list(contigs))}): map the reads to the FASTA that was scanned{hint}"
        )
    for name in shared:
        if mapped[name] != contigs[name]:
            raise InputError(
                f"{path}: contig {name} has {mapped[name]} nt there and {contigs[name]} nt in the scan: map the reads "
                "to the FASTA that was scanned, not to another assembly."
            )
    bare = sorted(with_loci - mapped.keys())
    if bare:
        warn(f"{path}: has not {len(bare)} of {len(with_loci)} contigs with loci ({some(bare)}).")


def _counted(reads: "Iterator[pysam.AlignedSegment]") -> "Iterator[pysam.AlignedSegment]":
    return (read for read in reads if not read.flag & UNCOUNTED)


def _check_reads(first: "list[pysam.AlignedSegment]", path: Path) -> None:
    if not first:
        raise InputError(f"{path}: holds no mapped read: map the reads to the FASTA that was scanned.")
    lengths = sorted(read.reference_length or 0 for read in first)
    middle = lengths[len(lengths) // 2]
    if middle > LONGEST_READ:
        raise InputError(
            f"{path}: its reads are too long for small RNAs (half of the first {len(first)} have {middle} nt or more): "
            "give a small-RNA library with its adapters trimmed, reads of 18 to 35 nt."
        )


def _places_tag(header: Mapping[str, object], first: "list[pysam.AlignedSegment]") -> str | None:
    """Tag with the number of places of a read: NH; X0 of bwa aln; XM of bowtie 1, whose XM of bowtie 2 is another."""
    if any(read.has_tag("NH") for read in first):
        return "NH"
    programs = header.get("PG", [])
    for program in programs if isinstance(programs, list) else []:
        name = str(program.get("PN") or program.get("ID", "")).lower()
        if name.startswith("bwa") and any(read.has_tag("X0") for read in first):
            return "X0"
        if name == "bowtie" and str(program.get("VN", "")).startswith("1."):
            return "XM"
    return None


def weigher(source: Source) -> Weigh:
    """How much an alignment counts: the copies that a collapsed read stands for, by the number of its places."""
    if source.places_tag is None:
        share: Weigh = lambda read: 1.0
    else:
        share = _share_by(source.places_tag)

    def collapsed(read: "pysam.AlignedSegment") -> float:
        told = _COLLAPSED.fullmatch(read.query_name or "")
        return share(read) * (float(told[1] or told[2]) if told else 1.0)

    return collapsed if source.is_collapsed else share


def _share_by(tag: str) -> Weigh:
    """What each place of a read counts, by a tag."""

    def share(read: "pysam.AlignedSegment") -> float:
        try:
            return 1.0 / (int(read.get_tag(tag)) or 1)
        except KeyError:
            return 1.0

    return share


def reads_in(source: Source) -> float:
    """Mapped reads of a library: as its table tells; else by its index, or of a collapsed one by its names.

    The index counts alignments, so that a plain read with several places counts at each of them.
    """
    if source.library.total_reads is not None:
        return source.library.total_reads
    with opened(source.path, source.reference) as file:
        if not source.is_collapsed and not file.is_cram:
            return float(sum(each.mapped for each in file.get_index_statistics()))
        weigh = weigher(source)
        return sum(map(weigh, _counted(file.fetch(until_eof=True))))
