"""Finding and folding hairpins: FASTA in, unscored candidates out."""

from typing import TYPE_CHECKING

from mirsweep._lazy import load_lazily

if TYPE_CHECKING:
    from mirsweep.scanner.errors import InputError
    from mirsweep.scanner.fasta import Genome, open_genome, read_sequences
    from mirsweep.scanner.fold import Folded, fold
    from mirsweep.scanner.params import ScanParams
    from mirsweep.scanner.prefilter import find_hairpins
    from mirsweep.scanner.scan import TileResult, scan_tile

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

load_lazily(
    __name__,
    {
        "Folded": "mirsweep.scanner.fold",
        "Genome": "mirsweep.scanner.fasta",
        "InputError": "mirsweep.scanner.errors",
        "ScanParams": "mirsweep.scanner.params",
        "TileResult": "mirsweep.scanner.scan",
        "find_hairpins": "mirsweep.scanner.prefilter",
        "fold": "mirsweep.scanner.fold",
        "open_genome": "mirsweep.scanner.fasta",
        "read_sequences": "mirsweep.scanner.fasta",
        "scan_tile": "mirsweep.scanner.scan",
    },
)
