"""Known loci that fit the genome they are compared with: checked before any work, by every command that takes them."""

import os
from collections.abc import Mapping, Sequence

from mirsweep.jobs.results.known import PRECURSOR_TYPES, Locus, read_known
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.names import did_you_mean, some
from mirsweep.scanner.errors import InputError

__all__ = ["check_fit", "read_fitting_loci"]


def read_fitting_loci(
    known: str | os.PathLike,
    contigs: Mapping[str, int],
    *,
    where: str,
    consequence: str,
    types: Sequence[str] = PRECURSOR_TYPES,
) -> list[Locus]:
    """Known loci of a file, checked against the contigs that they should lie on.

    Parameters
    ----------
    known
        GFF3 or BED, see ``read_known``.
    contigs
        Length of each contig, nt.
    where
        What has these contigs, for messages: ``"the scan"``.
    consequence
        What becomes of loci on other contigs, for the warning: ``"they count as missed"``.
    types
        GFF3 feature types that are loci.

    Raises
    ------
    InputError
        If the file cannot be read, none of its contigs is there, or a locus reaches beyond its contig's end.
    """
    loci = read_known(known, types=tuple(types))
    check_fit(loci, contigs, known=known, where=where, consequence=consequence)
    return loci


def check_fit(
    loci: Sequence[Locus], contigs: Mapping[str, int], *, known: str | os.PathLike, where: str, consequence: str
) -> None:
    """Check loci against the contigs that they should lie on; those on other contigs are told of on standard error.

    Parameters and errors are those of ``read_fitting_loci``.
    """
    absent = [locus.contig for locus in loci if locus.contig not in contigs]
    names = sorted(set(absent))
    if len(absent) == len(loci):
        raise InputError(
            f"{known}: none of its contigs ({some(names)}) is in {where} ({some(sorted(contigs))}): give loci of the "
            f"same assembly, with the same contig names; of {names[0]!r}: {did_you_mean(names[0], contigs)}"
        )
    beyond = [locus for locus in loci if locus.contig in contigs and locus.end > contigs[locus.contig]]
    if beyond:
        first = beyond[0]
        raise InputError(
            f"{known}: {first.name} ends at {first.end} of contig {first.contig}, which has {contigs[first.contig]} nt "
            f"in {where}{_and_more(len(beyond) - 1)}: give loci of the same assembly."
        )
    if absent:
        warn(
            f"{known}: {len(absent)} of {len(loci)} loci lie on contigs that are not in {where} ({some(names)}); "
            f"{consequence}."
        )


def _and_more(n: int) -> str:
    if not n:
        return ""
    return f" ({n} other {'locus lies' if n == 1 else 'loci lie'} beyond an end, too)"
