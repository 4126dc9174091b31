"""The training runs of the genome models: what each learns from and is tested on, and the data that they need.

A run names what is left out of its positives, the chromosomes (or halves) that its negatives come from, and those that
it is tested on; nothing is in both.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genome_pack import Recipe
from harness import ROOT, find_data
from mirsweep.jobs import scan
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.files import open_atomically
from mirsweep.jobs.results.known import Locus, read_known
from mirsweep.jobs.training.examples import TEXT_COLUMNS, ExampleFacts, assemble
from mirsweep.jobs.training.mine import near_loci
from mirsweep.jobs.training.plant import PlantedExamples, plant_examples
from mirsweep.jobs.training.precursors import (
    Exclusion,
    Precursor,
    equivalent_families,
    family_of,
    read_precursors,
    without_antisense,
)
from mirsweep.jobs.training.repeats import inverted_repeats, tandem_repeats
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_train import GenomeTrainParams
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.fasta import open_genome

X, CHR20, ATH, EBV = "cel_ce2_chrX", "hsa_GRCh37_chr20", "ath_TAIR10_chr1", "ebv_NC_007605"
ANNOTATIONS = {
    X: ("mirgenedb", "mirbase_v22"),
    CHR20: ("mirgenedb", "mirbase_v22"),
    ATH: ("mirbase_v22",),
    EBV: ("mirbase_v22",),
}
MIDDLE = {CHR20: 31_500_000, ATH: 15_200_000}
"""Where a chromosome is halved: near the middle, in chr20 beside no known locus."""
WORK = ROOT / "genome_work"
"""Folder of what is done, by default."""
NEMATODES = ("cel", "cbr", "cbn", "crm", "ppc", "bma", "asu", "hco", "str", "prd", "hpo", "tsp")


@dataclass(frozen=True)
class Part:
    """A chromosome, or one half of it (0 or 1)."""

    stem: str
    half: int | None = None


@dataclass(frozen=True)
class Run:
    """A training.

    Attributes
    ----------
    kingdom
        ``"animal"`` (viruses included) or ``"plant"``: which pre-miRNAs, and which preset of the scan.
    negatives, tests
        Where negatives come from, and where the model is measured.
    species
        Species whose pre-miRNAs are left out.
    families_of
        Chromosomes, the families of whose known loci are left out.
    homologues_of, homologous_species
        Chromosomes; every pre-miRNA (of these species only, if given) that shares 16 nt with one of their known loci is
        left out.
    """

    kingdom: str
    negatives: tuple[Part, ...]
    tests: tuple[Part, ...]
    species: tuple[str, ...] = ()
    families_of: tuple[str, ...] = ()
    homologues_of: tuple[str, ...] = ()
    homologous_species: tuple[str, ...] = ()


_HALVES = ((Part(CHR20, 0), Part(CHR20, 1)), (Part(ATH, 0), Part(ATH, 1)))
RUNS = {
    "elegans-out": Run("animal", (Part(CHR20), Part(ATH)), (Part(X),), ("cel",), homologues_of=()),
    "elegans-families-out": Run("animal", (Part(CHR20), Part(ATH)), (Part(X),), ("cel",), families_of=(X,)),
    "nematodes-out": Run("animal", (Part(CHR20), Part(ATH)), (Part(X),), NEMATODES),
    "chr20-second": Run(
        "animal",
        (Part(X), Part(ATH), Part(CHR20, 0)),
        (Part(CHR20, 1), Part(EBV)),
        ("hsa", "ebv"),
        homologues_of=(CHR20, EBV),
    ),
    "chr20-first": Run(
        "animal", (Part(X), Part(ATH), Part(CHR20, 1)), (Part(CHR20, 0),), ("hsa",), homologues_of=(CHR20,)
    ),
    "chr20-second-orthologues": Run(
        "animal",
        (Part(X), Part(ATH), Part(CHR20, 0)),
        (Part(CHR20, 1),),
        homologues_of=(CHR20,),
        homologous_species=("hsa",),
    ),
    "chr20-first-orthologues": Run(
        "animal",
        (Part(X), Part(ATH), Part(CHR20, 1)),
        (Part(CHR20, 0),),
        homologues_of=(CHR20,),
        homologous_species=("hsa",),
    ),
    "ath-second": Run("plant", (Part(X), Part(ATH, 0)), (Part(ATH, 1),), ("ath",), homologues_of=(ATH,)),
    "ath-first": Run("plant", (Part(X), Part(ATH, 1)), (Part(ATH, 0),), ("ath",), homologues_of=(ATH,)),
    "genome": Run("animal", (Part(X), Part(CHR20), Part(ATH), Part(EBV)), ()),
    "genome-plant": Run("plant", (Part(X), Part(ATH)), ()),
}
_PLANT = GenomeTrainParams(n_epochs=10, mining=(2, 4, 6, 8))
RECIPES = {
    "animal": Recipe((GenomeTrainParams(),) * 4, GenomeConfig()),
    "plant": Recipe(
        (_PLANT, _PLANT, *[replace(_PLANT, match_dropout=0.7, mutated=0.5)] * 2),
        GenomeConfig(dilations=(1, 2, 4, 8, 16)),
        reads_flanks=False,
    ),
}
"""How the networks of a kingdom are trained. Plants have fewer and longer precursors: half of the networks see more of
them changed, and convolutions reach further. What follows the end of a plant's precursor tells nothing: a stem often
goes on beyond what databases have of it, while in training what lies there comes from another place."""
_EVENNESS = 0.25
"""Every second network draws large families less often: by this power of their number of records."""
N_INVERTED, N_TANDEM = 40_000, 20_000
"""Artificial repeats among the negatives of each run."""
_N_FOUND = b"mirsweep.n_found"


class Work:
    """The data, and a folder of what is done.

    Parameters
    ----------
    folder
        Work folder, made if absent.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.data = find_data()

    def genome(self, stem: str) -> Path:
        """FASTA of a chromosome."""
        return self.data / "genomes" / f"{stem}.fa.gz"

    def loci(self, stem: str, annotation: str) -> list[Locus]:
        """Known precursors of a chromosome."""
        return read_known(self.data / "genomes" / f"{stem}.{annotation}.gff3")

    def kept(self, name: str, make: Callable[[], pa.Table]) -> pa.Table:
        """A table, made if it is not there."""
        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            with open_atomically(path) as stream:
                pq.write_table(make(), stream, compression="zstd")
        return pq.read_table(path)

    def scan(self, stem: str, kingdom: str) -> Path:
        """Folder of the scan of a chromosome with the preset of a kingdom; the virus by its own."""
        folder = self.folder / f"scan-{kingdom}-{stem}"
        if not (folder / "run.json").is_file():
            preset = "virus" if stem == EBV else kingdom
            scan(self.genome(stem), output=folder, model="paper-cross", preset=preset, report=False, quiet=True)
        return folder

    def candidates(self, part: Part, kingdom: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Candidates of a chromosome or of its half."""
        dataset = open_output(self.scan(part.stem, kingdom)).dataset()
        if part.half is None:
            return dataset.to_table(columns=columns)
        is_second = pc.field("start") >= MIDDLE[part.stem]
        return dataset.to_table(columns=columns, filter=is_second if part.half else ~is_second)

    def scanned_mb(self, part: Part, kingdom: str) -> float:
        """Mb scanned; of a half, its share of the candidates' chromosome by length."""
        mb = open_output(self.scan(part.stem, kingdom)).run["counts"]["n_scanned"] / 1e6
        if part.half is None:
            return mb
        length = max(self.candidates(Part(part.stem), kingdom, ["end"])["end"].to_numpy())
        first = MIDDLE[part.stem] / length
        return mb * (first if part.half == 0 else 1 - first)

    def known_sequences(self, stems: Sequence[str]) -> list[str]:
        """Precursors known on chromosomes, RNA."""
        out = []
        for stem in stems:
            genome = open_genome(self.genome(stem))
            for annotation in ANNOTATIONS[stem]:
                for locus in self.loci(stem, annotation):
                    codes = encode(genome.fetch(locus.contig, locus.start, locus.end))
                    out.append(decode(codes if locus.strand == "+" else reverse_complement(codes)))
        return out


def in_half(starts: np.ndarray, part: Part) -> np.ndarray:
    """Which starts lie in the part; bool, shape (n,)."""
    if part.half is None:
        return np.ones(len(starts), bool)
    return (starts >= MIDDLE[part.stem]) == bool(part.half)


def near_known(table: pa.Table, loci: Sequence[Locus]) -> np.ndarray:
    """Which candidates of a chromosome are too near a locus, on either strand, to be negatives; bool, shape (n,)."""
    contigs = np.full(table.num_rows, loci[0].contig)
    return near_loci(contigs, table["start"].to_numpy(), table["end"].to_numpy(), loci)


def is_unannotated(work: Work, stem: str, table: pa.Table) -> np.ndarray:
    """Which candidates of a chromosome lie near no known locus; bool, shape (n,)."""
    loci = [locus for annotation in ANNOTATIONS[stem] for locus in work.loci(stem, annotation)]
    return ~near_known(table, loci)


def unannotated(work: Work, part: Part, kingdom: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Candidates of a part that lie near no known locus."""
    table = work.candidates(part, kingdom, columns)
    return table.filter(is_unannotated(work, part.stem, table))


def planted_of(work: Work, name: str) -> PlantedExamples:
    """Pre-miRNAs of a run, and the hairpins opposite them, inserted into the genomes of its negatives; kept."""
    paths = [work.folder / f"{kind}-{name}.parquet" for kind in ("positives", "antisense")]
    if not all(path.is_file() for path in paths):
        made = _plant(work, RUNS[name])
        found = made.positives.replace_schema_metadata({_N_FOUND: str(made.n_found)})
        for path, table in zip(paths, (found, made.antisense), strict=True):
            work.kept(path.stem, lambda table=table: table)
    positives, antisense = (pq.read_table(path) for path in paths)
    return PlantedExamples(positives, antisense, int(positives.schema.metadata[_N_FOUND]))


def evened_weights(work: Work, name: str, positives: pa.Table) -> np.ndarray:
    """Weights of a run's positives for every second network; float32, shape (n,)."""
    counts = Counter(p.family for p in precursors_of(work, RUNS[name]))
    n_records = np.array([counts[family] for family in positives["family"].to_pylist()])
    return (positives["weight"].to_numpy() * n_records**-_EVENNESS).astype(np.float32)


def _plant(work: Work, run: Run) -> PlantedExamples:
    kept = [p for p in precursors_of(work, run) if (p.kingdom == "plant") == (run.kingdom == "plant")]
    genomes = [work.genome(part.stem) for part in run.negatives]
    return plant_examples(kept, genomes, preset=run.kingdom, in_place=False)  # which could be on a half that is tested


def precursors_of(work: Work, run: Run) -> list[Precursor]:
    """All known precursors, of every kingdom, but those that a run leaves out."""
    known = all_precursors(work.data)
    families = equivalent_families(
        known,
        [
            family_of(locus.name.partition("_")[0])
            for stem in run.families_of
            for annotation in ANNOTATIONS[stem]
            for locus in work.loci(stem, annotation)
        ],
    )
    left_out = Exclusion(
        frozenset(run.species),
        families,
        tuple(work.known_sequences(run.homologues_of)),
        frozenset(run.homologous_species),
    )
    return [p for p in known if not left_out.holds(p)]


@cache
def all_precursors(data: Path) -> list[Precursor]:
    """Of miRBase v22, and of MirGeneDB those that no record of miRBase contains; none that is the other strand of a
    better known one."""
    hairpins = data / "hairpins"
    return without_antisense(read_precursors(hairpins / "mirbase_v22.tsv.gz", hairpins / "mirgenedb_precursors.fa.gz"))


def repeats_of(work: Work, run: Run) -> dict[str, pa.Table]:
    """Artificial repeats among the negatives of a run, kept by names that runs of the same genomes share."""
    stems = list(dict.fromkeys(part.stem for part in run.negatives))
    genomes = [work.genome(stem) for stem in stems]
    shared = f"{run.kingdom}-" + "-".join(stem[:3] for stem in stems)
    makers: dict[str, tuple[Callable[..., pa.Table], int, int]] = {
        f"inverted-{shared}": (inverted_repeats, N_INVERTED, 5),
        f"tandem-{shared}": (tandem_repeats, N_TANDEM, 9),
    }
    return {
        name: work.kept(name, lambda make=make, n=n, seed=seed: make(genomes, n=n, preset=run.kingdom, seed=seed))
        for name, (make, n, seed) in makers.items()
    }


def negatives_of(work: Work, name: str) -> pa.Table:
    """Negatives of a run, ``EXAMPLE_SCHEMA``: all unannotated candidates of its parts, the other strands of its
    pre-miRNAs, and artificial repeats."""
    run = RUNS[name]
    tables = []
    for part in run.negatives:
        found = unannotated(work, part, run.kingdom, [*TEXT_COLUMNS, "start", "end"])
        tables.append(assemble(found, ExampleFacts.plain(found.num_rows, label=False, source=part.stem)))
    return pa.concat_tables([*tables, planted_of(work, name).antisense, *repeats_of(work, run).values()])


def scores_path(work: Work, name: str, part: Part) -> Path:
    """Where the scores of a test part lie."""
    half = "" if part.half is None else f"-{part.half}"
    return work.folder / f"{name}.{part.stem}{half}.npy"
