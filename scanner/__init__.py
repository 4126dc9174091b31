"""Finding and folding hairpins: FASTA in, unscored candidates out."""

from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome, open_genome, read_sequences
from mirsweep.scanner.fold import Folded, fold
from mirsweep.scanner.prefilter import find_hairpins
from mirsweep.scanner.scan import ScanParams, TileResult, scan_tile

__all__ = [
    "Folded",
    "Genome",
    "InputError",
    "ScanParams",
    "TileResult",
    "find_hairpins",
    "fold",
    "open_genome",
    "read_sequences",
    "scan_tile",
]
