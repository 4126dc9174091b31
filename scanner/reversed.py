"""A genome read backwards: not complemented, so that it keeps composition and repeats, and no hairpin of its own."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

from mirsweep.scanner.excerpt import Excerpt, Span
from mirsweep.scanner.fasta import Genome

__all__ = ["Reversed"]


class Reversed(Genome):
    """A view of an open genome in which each contig is read backwards: position p is position length - 1 - p.

    Parameters
    ----------
    genome
        An open genome; it stays the owner of its file.
    """

    def __init__(self, genome: Genome):
        self._genome = genome
        self.name, self.path, self.source, self.contigs = genome.name, genome.path, genome.source, genome.contigs
        self._lengths = {contig.name: contig.length for contig in genome.contigs}

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """ASCII letters [start, end) of the contig read backwards; see :meth:`mirsweep.scanner.fasta.Genome.fetch`."""
        length = self._lengths.get(contig, 0)
        return self._genome.fetch(contig, length - end, length - start)[::-1]

    def excerpt(self, spans: Sequence[Span]) -> Excerpt:
        """See :meth:`mirsweep.scanner.fasta.Genome.excerpt`."""
        lengths = self._lengths
        forward = [Span(name, lengths[name] - end, lengths[name] - start) for name, start, end in spans]
        return self._genome.excerpt(forward)._replace(is_reversed=True)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) that follows from the genome's own."""
        return hashlib.sha256(f"{self._genome.digest} reversed".encode()).hexdigest()

    def check_unchanged(self) -> None:
        """See :meth:`mirsweep.scanner.fasta.Genome.check_unchanged`."""
        self._genome.check_unchanged()

    def close(self) -> None:
        """Do nothing: the genome closes its file."""
