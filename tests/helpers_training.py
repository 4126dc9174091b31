"""What the tests of the training share: a small untrained genome model, a scan by it, and the demo's genome."""

from pathlib import Path

import torch

from mirsweep.jobs.demo.demo import DATA
from mirsweep.model.checkpoint import save
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_net import GenomeNet

GENOME, KNOWN = DATA / "slice.fa.gz", DATA / "mirbase.gff3"


def make_genome_model(path: Path) -> Path:
    """An untrained genome model without calibration."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = GenomeNet(GenomeConfig(n_channels=8, n_hidden=8, dilations=(1,)))
    save(path, net, data="none", licence="none", protocol="none", metrics={}, calibration=None)
    return path


def with_other_contigs(path: Path) -> Path:
    """The known precursors on contigs that the genome does not have."""
    text = KNOWN.read_text()
    contig = next(line.split("\t")[0] for line in text.splitlines() if not line.startswith("#"))
    path.write_text(text.replace(contig, "elsewhere"))
    return path


def with_a_locus_beyond_the_end(path: Path) -> Path:
    """The known precursors, and one that reaches beyond the contig's end."""
    lines = KNOWN.read_text().rstrip().splitlines()
    fields = lines[-1].split("\t")
    fields[3:5] = "1799950", "1800050"
    fields[8] = "ID=too-far;Name=too-far"
    path.write_text("\n".join([*lines, "\t".join(fields)]) + "\n")
    return path
