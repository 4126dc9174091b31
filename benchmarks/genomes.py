"""The genome models: their training, and what they find on chromosomes that they have not seen.

    python benchmarks/genomes.py prepare        scans (5 minutes)
    python benchmarks/genomes.py train [RUN..]  every run of RUNS that is not there yet (5 minutes a run and core)
    python benchmarks/genomes.py bundle         calibrate the shipped models into model/weights
    python benchmarks/genomes.py measure        benchmarks/results/genomes.json
    python benchmarks/genomes.py figures        docs/genome_*.png

A run names what is left out of its positives, the chromosomes (or halves) that its negatives come from, and those
that it is tested on; nothing is in both. The work folder (``--work``) keeps what is done.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier

from harness import ROOT, find_data, write_result
from mirsweep.jobs import scan
from mirsweep.jobs.results.compare import Comparison, compare_candidates, match
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.known import Locus, read_loci
from mirsweep.jobs.results.query import FP_PRESETS
from mirsweep.jobs.training.calibrate import calibrate, score_rows
from mirsweep.jobs.training.examples import TEXT_COLUMNS, ExampleFacts, assemble, examples_of
from mirsweep.jobs.training.mine import near_loci
from mirsweep.jobs.training.plant import plant_examples
from mirsweep.jobs.training.precursors import Exclusion, equivalent_families, family_of, read_precursors
from mirsweep.jobs.training.repeats import inverted_repeats
from mirsweep.model import load_model
from mirsweep.model.checkpoint import BUNDLED, load, save
from mirsweep.model.examples import Examples
from mirsweep.model.features import classical_features
from mirsweep.model.genome_model import expected_fp_per_mb
from mirsweep.model.genome_train import GenomeTrainParams, train_genome_net
from mirsweep.model.threads import one_thread
from mirsweep.scanner import fold
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.fasta import open_genome
from recall_prefilter import shuffled_dinucleotides

X, CHR20, ATH, EBV = "cel_ce2_chrX", "hsa_GRCh37_chr20", "ath_TAIR10_chr1", "ebv_NC_007605"
ANNOTATIONS = {
    X: ("mirgenedb", "mirbase_v22"),
    CHR20: ("mirgenedb", "mirbase_v22"),
    ATH: ("mirbase_v22",),
    EBV: ("mirbase_v22",),
}
MIDDLE = {CHR20: 31_500_000, ATH: 15_200_000}
"""Where a chromosome is halved: near the middle, in chr20 beside no known locus."""
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
    kin_of, kin_species
        Chromosomes; every pre-miRNA (of these species only, if given) that shares 16 nt with one of their known loci is
        left out.
    """

    kingdom: str
    negatives: tuple[Part, ...]
    tests: tuple[Part, ...]
    species: tuple[str, ...] = ()
    families_of: tuple[str, ...] = ()
    kin_of: tuple[str, ...] = ()
    kin_species: tuple[str, ...] = ()


_HALVES = ((Part(CHR20, 0), Part(CHR20, 1)), (Part(ATH, 0), Part(ATH, 1)))
RUNS = {
    "elegans-out": Run("animal", (Part(CHR20), Part(ATH)), (Part(X),), ("cel",), kin_of=()),
    "elegans-families-out": Run("animal", (Part(CHR20), Part(ATH)), (Part(X),), ("cel",), families_of=(X,)),
    "nematodes-out": Run("animal", (Part(CHR20), Part(ATH)), (Part(X),), NEMATODES),
    "chr20-second": Run(
        "animal", (Part(X), Part(ATH), Part(CHR20, 0)), (Part(CHR20, 1), Part(EBV)), ("hsa", "ebv"), kin_of=(CHR20, EBV)
    ),
    "chr20-first": Run("animal", (Part(X), Part(ATH), Part(CHR20, 1)), (Part(CHR20, 0),), ("hsa",), kin_of=(CHR20,)),
    "chr20-second-orthologues": Run(
        "animal", (Part(X), Part(ATH), Part(CHR20, 0)), (Part(CHR20, 1),), kin_of=(CHR20,), kin_species=("hsa",)
    ),
    "chr20-first-orthologues": Run(
        "animal", (Part(X), Part(ATH), Part(CHR20, 1)), (Part(CHR20, 0),), kin_of=(CHR20,), kin_species=("hsa",)
    ),
    "ath-second": Run("plant", (Part(X), Part(ATH, 0)), (Part(ATH, 1),), ("ath",), kin_of=(ATH,)),
    "ath-first": Run("plant", (Part(X), Part(ATH, 1)), (Part(ATH, 0),), ("ath",), kin_of=(ATH,)),
    "genome": Run("animal", (Part(X), Part(CHR20), Part(ATH), Part(EBV)), ()),
    "genome-plant": Run("plant", (Part(X), Part(ATH)), ()),
}
N_REPEATS = 40_000
"""Artificial inverted repeats among the negatives of each run."""


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
        return read_loci(self.data / "genomes" / f"{stem}.{annotation}.gff3")

    def scan(self, stem: str, kingdom: str) -> Path:
        """Folder of the scan of a chromosome with the preset of a kingdom; the virus by its own."""
        folder = self.folder / f"scan-{kingdom}-{stem}"
        if not (folder / "run.json").is_file():
            preset = "virus" if stem == EBV else kingdom
            scan(self.genome(stem), output=folder, model="paper-cross", preset=preset, quiet=True)
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


def unannotated(work: Work, part: Part, kingdom: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Candidates of a part that lie near no known locus."""
    table = work.candidates(part, kingdom, columns)
    loci = [locus for annotation in ANNOTATIONS[part.stem] for locus in work.loci(part.stem, annotation)]
    return table.filter(~near_known(table, loci))


def positives_of(work: Work, run: Run) -> Examples:
    """Pre-miRNAs of a run, planted in the genomes of its negatives."""
    folder = work.data / "hairpins"
    known = read_precursors(folder / "mirbase_v22.tsv.gz", folder / "mirgenedb_precursors.fa.gz")
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
        frozenset(run.species), families, tuple(work.known_sequences(run.kin_of)), frozenset(run.kin_species)
    )
    kept = [p for p in known if (p.kingdom == "plant") == (run.kingdom == "plant") and not left_out.holds(p)]
    return examples_of(plant_examples(kept, [work.genome(part.stem) for part in run.negatives], preset=run.kingdom))


def negatives_of(work: Work, run: Run) -> pa.Table:
    """Negatives of a run: all unannotated candidates of its parts, and artificial inverted repeats."""
    tables = [
        unannotated(work, part, run.kingdom, [*TEXT_COLUMNS, "start", "end"]).select(TEXT_COLUMNS)
        for part in run.negatives
    ]
    repeats = inverted_repeats(
        [work.genome(part.stem) for part in run.negatives], n=N_REPEATS, preset=run.kingdom, seed=5
    )
    return pa.concat_tables([*tables, repeats.select(TEXT_COLUMNS)])


def plain_examples(table: pa.Table) -> Examples:
    """Negatives as examples."""
    return examples_of(assemble(table, ExampleFacts.plain(table.num_rows, label=False, source="")))


def train(work: Work, name: str) -> None:
    """Train a run and score its tests; does nothing if that is done."""
    run, weights = RUNS[name], work.folder / f"{name}.safetensors"
    if not weights.is_file():
        positives, negatives = positives_of(work, run), negatives_of(work, run)
        print(f"{name}: {len(positives)} pre-miRNAs, {negatives.num_rows} others", flush=True)
        with one_thread():
            net = train_genome_net(
                positives, plain_examples(negatives), after_epoch=lambda e, _: print(name, e, flush=True)
            )
        save(
            weights,
            net,
            data=describe_data(run, len(positives), negatives.num_rows),
            licence=LICENCE,
            protocol=asdict(GenomeTrainParams()) | {"command": f"python benchmarks/genomes.py train {name}"},
            metrics={},
        )
    model = load_model(weights)
    for part in run.tests:
        path = scores_path(work, name, part)
        if not path.is_file():
            table = work.candidates(part, run.kingdom, list(TEXT_COLUMNS))
            np.save(path, score_rows(model, table))


def scores_path(work: Work, name: str, part: Part) -> Path:
    """Where the scores of a test part lie."""
    half = "" if part.half is None else f"-{part.half}"
    return work.folder / f"{name}.{part.stem}{half}.npy"


LICENCE = (
    "MIT (the weights); trained on miRBase v22, MirGeneDB and the genomes named under data, which have their own terms"
)


def describe_data(run: Run, n_positives: int, n_negatives: int) -> dict:
    """What the card tells of the data."""
    return {
        "pre-miRNAs": f"{n_positives} of miRBase v22 and MirGeneDB ({run.kingdom}), planted in genome, cut by a scan",
        "left out": {
            "species": run.species,
            "families of": run.families_of,
            "sharing 16 nt with the loci of": run.kin_of,
            "of these species only": run.kin_species,
        },
        "others": f"{n_negatives}: candidates 100 nt and more from known precursors, artificial inverted repeats",
        "others from": [asdict(part) for part in run.negatives],
    }


TOP = (20, 50, 100, 200, 500, 1000)
ROWS = {
    "C. elegans X, no C. elegans in training": ("elegans-out",),
    "C. elegans X, nor any family of its loci": ("elegans-families-out",),
    "C. elegans X, no nematode in training": ("nematodes-out",),
    "human chr20, its loci and paralogues left out": ("chr20-first-orthologues", "chr20-second-orthologues"),
    "human chr20, no human sequence nor anything akin to its loci": ("chr20-first", "chr20-second"),
    "Epstein-Barr virus, nothing akin to its loci": ("chr20-second",),
    "Arabidopsis 1, no Arabidopsis nor anything akin to its loci": ("ath-first", "ath-second"),
}
"""Rows of the table: the runs whose scores are pooled."""
BOOSTED = ("elegans-out", "chr20-first-orthologues", "chr20-second-orthologues", "ath-first", "ath-second")
"""Runs beside which boosting on classical features is trained, on the same examples."""
_N_BOOSTED = 60_000


def tests_of(row: str) -> list[tuple[str, Part]]:
    """Runs of a row and what each is tested on."""
    is_virus = row.startswith("Epstein")
    return [(name, part) for name in ROWS[row] for part in RUNS[name].tests if (part.stem == EBV) == is_virus]


def boosting_scores(work: Work, name: str, part: Part) -> np.ndarray:
    """Scores of gradient boosting on classical features, trained on a run's pre-miRNAs and 60,000 of its negatives."""
    path = work.folder / f"boosting-{name}.{part.stem}.npy"
    if not path.is_file():
        run = RUNS[name]
        positives, negatives = positives_of(work, run), negatives_of(work, run)
        rng = np.random.default_rng(0)
        negatives = negatives.take(np.sort(rng.choice(negatives.num_rows, _N_BOOSTED, replace=False)))
        texts = [[*positives.sequences, *negatives["sequence"].to_pylist()]]
        texts.append([*positives.structures, *negatives["structure"].to_pylist()])
        labels = np.repeat([1, 0], [len(positives), _N_BOOSTED])
        booster = HistGradientBoostingClassifier(max_iter=400, learning_rate=0.06, random_state=0)
        booster.fit(classical_features(*texts, fold(texts[0]).energies), labels)
        table = work.candidates(part, run.kingdom, ["sequence", "structure", "mfe"])
        columns = (table[column].to_pylist() for column in ("sequence", "structure", "mfe"))
        np.save(path, booster.predict_proba(classical_features(*columns))[:, 1].astype(np.float32))
    return np.load(path)


def annotated(work: Work, tests: list[tuple[str, Part]], annotation: str) -> list[Locus]:
    """Known loci of the parts."""
    return [
        locus
        for _, part in tests
        for locus in work.loci(part.stem, annotation)
        if in_half(np.array([locus.start]), part)[0]
    ]


def places_of(work: Work, tests: list[tuple[str, Part]], extra: Sequence[str] = ()) -> pa.Table:
    """Candidates of the parts together."""
    columns = ["contig", "start", "end", "strand", *extra]
    tables = [work.candidates(part, RUNS[name].kingdom, columns) for name, part in tests]
    return pa.concat_tables([table.cast(unkeyed(table.schema)) for table in tables])


def unkeyed(schema: pa.Schema) -> pa.Schema:
    """The schema with plain strings for dictionaries."""
    return pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])


def compared(work: Work, row: str, *, alone: bool = False) -> dict[str, dict[str, Comparison]]:
    """By annotation and by score: the comparison of a row's candidates with the known loci; ``alone`` by ours only."""
    tests = tests_of(row)
    table = places_of(work, tests, ("score", "mfe"))
    scores = {"genome model": np.concatenate([np.load(scores_path(work, *test)) for test in tests])}
    if not alone:
        scores["paper-cross"] = table["score"].to_numpy()
        scores["minimum free energy"] = -table["mfe"].to_numpy()
        if all(name in BOOSTED for name, _ in tests):
            scores["boosting, classical features"] = np.concatenate([boosting_scores(work, *t) for t in tests])
    mb = sum(work.scanned_mb(part, RUNS[name].kingdom) for name, part in tests)
    table = table.drop_columns(["score", "mfe"])
    return {
        annotation: {
            which: compare_candidates(
                table.append_column("score", pa.array(values, pa.float32())),
                annotated(work, tests, annotation),
                mb,
                top=TOP,
            )
            for which, values in scores.items()
        }
        for annotation in ANNOTATIONS[tests[0][1].stem]
    }


def arms_measured(work: Work, row: str) -> dict:
    """Predicted ends of the mature sequences beside miRBase's, on the best-scored candidate of each locus of a row."""
    folder = work.data / "hairpins"
    known = read_precursors(folder / "mirbase_v22.tsv.gz")
    matures = {p.name: [p.sequence[a:b] for a, b in (p.arms[:2], p.arms[2:]) if a >= 0] for p in known}
    starts, ends, right_arm = [], [], []
    for name, part in tests_of(row):
        table = work.candidates(part, RUNS[name].kingdom, ["contig", "start", "end", "strand", *TEXT_COLUMNS])
        table = table.cast(unkeyed(table.schema))
        scores = np.load(scores_path(work, name, part))
        loci = annotated(work, [(name, part)], "mirbase_v22")
        pairs = match(table, loci)
        best = [rows[np.argmax(scores[rows])] for k in range(len(loci)) if len(rows := pairs[pairs[:, 1] == k, 0])]
        names = [loci[k].name for k in range(len(loci)) if (pairs[:, 1] == k).any()]
        chosen = table.take(best)
        found = (
            load_model(work.folder / f"{name}.safetensors").predict(*(chosen[c].to_pylist() for c in TEXT_COLUMNS)).arms
        )
        for k, sequence in enumerate(chosen["sequence"].to_pylist()):
            spans = [(sequence.find(m), sequence.find(m) + len(m)) for m in matures.get(names[k], []) if m in sequence]
            predicted = sorted([(found.mature_start[k], found.mature_end[k]), (found.star_start[k], found.star_end[k])])
            for start, end in spans:
                is_3p = start + end > len(sequence)
                starts.append(abs(int(predicted[is_3p][0]) - start))
                ends.append(abs(int(predicted[is_3p][1]) - end))
            if len(spans) == 1:
                right_arm.append(bool(found.is_5p[k]) == (sum(spans[0]) <= len(sequence)))
    starts, ends = np.array(starts), np.array(ends)
    return {
        "n_mature": len(starts),
        "start_exact": float((starts == 0).mean()),
        "start_within_2_nt": float((starts <= 2).mean()),
        "end_exact": float((ends == 0).mean()),
        "end_within_2_nt": float((ends <= 2).mean()),
        "n_with_one_arm_annotated": len(right_arm),
        "arm_right": float(np.mean(right_arm)) if right_arm else None,
    }


CALIBRATED_ON = {
    "genome": (
        "C. elegans X, no C. elegans in training",
        "human chr20, no human sequence nor anything akin to its loci",
    ),
    "genome-plant": ("Arabidopsis 1, no Arabidopsis nor anything akin to its loci",),
}
"""Rows whose unannotated candidates, scored by models that have not seen them, calibrate a shipped model."""


def unannotated_scores(work: Work, row: str) -> tuple[np.ndarray, float]:
    """Scores of a row's candidates far from known loci, and the Mb that they come from."""
    parts = []
    for name, part in tests_of(row):
        table = work.candidates(part, RUNS[name].kingdom, ["start", "end"])
        loci = [locus for annotation in ANNOTATIONS[part.stem] for locus in work.loci(part.stem, annotation)]
        parts.append(np.load(scores_path(work, name, part))[~near_known(table, loci)])
    return np.concatenate(parts), sum(work.scanned_mb(part, RUNS[name].kingdom) for name, part in tests_of(row))


def calibration_of(work: Work, rows: Sequence[str]) -> dict[str, list[float]]:
    """Calibration from the unannotated candidates of rows."""
    scores, mb = zip(*(unannotated_scores(work, row) for row in rows), strict=True)
    return calibrate(np.concatenate(scores), sum(mb))


def false_calls(work: Work, row: str, calibration: dict[str, list[float]]) -> dict[str, float]:
    """Unannotated candidates of a row per Mb that pass each preset under a calibration."""
    scores, mb = unannotated_scores(work, row)
    expected = expected_fp_per_mb(scores, calibration)
    return {preset: float((expected <= limit).sum() / mb) for preset, limit in FP_PRESETS.items()}


def shuffled(work: Work, name: str) -> dict[str, float]:
    """Candidates per Mb that pass each preset of a shipped model where dinucleotides of C. elegans X are shuffled."""
    genome = open_genome(work.genome(X))
    codes = shuffled_dinucleotides(encode(genome.fetch(genome.contigs[0].name, 0, 4_000_000)), seed=1)
    path = work.folder / "shuffled.fa"
    path.write_bytes(b">shuffled\n" + np.frombuffer(b"ACGTN", np.uint8)[codes].tobytes() + b"\n")
    folder = work.folder / f"scan-{name}-shuffled"
    scan(path, output=folder, model=name, preset=RUNS[name].kingdom, quiet=True)
    rates = open_output(folder).dataset().to_table(columns=["expected_fp_per_mb"])["expected_fp_per_mb"].to_numpy()
    return {preset: float((rates <= limit).sum() / (codes.size / 1e6)) for preset, limit in FP_PRESETS.items()}


def bundle(work: Work, names: Sequence[str]) -> None:
    """Put the shipped models, calibrated, into ``model/weights``; the card holds the figures of their twins."""
    for name, rows in CALIBRATED_ON.items():
        if name not in names:
            continue
        checkpoint = load(work.folder / f"{name}.safetensors")
        metrics = {
            row: {a: found["genome model"].as_json() for a, found in compared(work, row, alone=True).items()}
            for row in rows
        }
        card = save(
            BUNDLED / f"{name}.safetensors",
            checkpoint.net,
            data=checkpoint.card["data"],
            licence=LICENCE,
            protocol=checkpoint.card["protocol"]
            | {
                "figures": "metrics and calibration are those of models trained the same way without the chromosome "
                "that they are measured on (benchmarks/genomes.py); these weights have seen all of them"
            },
            metrics=metrics,
            calibration=calibration_of(work, rows),
        )
        print(name, card["digest"][:12])


def measure(work: Work) -> None:
    """Everything that ``benchmarks/results/genomes.json`` holds."""
    rows = {
        row: {
            annotation: {which: found.as_json() for which, found in by_score.items()}
            for annotation, by_score in compared(work, row).items()
        }
        for row in ROWS
    }
    elegans, human = CALIBRATED_ON["genome"]
    result = {
        "command": "python benchmarks/genomes.py prepare && python benchmarks/genomes.py train && "
        "python benchmarks/genomes.py bundle && python benchmarks/genomes.py measure",
        "runs": {name: asdict(run) for name, run in RUNS.items()},
        "held_out": rows,
        "mature_arms": {row: arms_measured(work, row) for row in (elegans, human)},
        "false_calls_per_mb": {
            f"{elegans}; calibrated on chr20": false_calls(work, elegans, calibration_of(work, [human])),
            f"{human}; calibrated on X": false_calls(work, human, calibration_of(work, [elegans])),
            "genome, dinucleotides of C. elegans X shuffled": shuffled(work, "genome"),
            "genome-plant, dinucleotides of C. elegans X shuffled": shuffled(work, "genome-plant"),
        },
    }
    print(json.dumps(result["held_out"], indent=1))
    write_result("genomes", result)


def draw(work: Work) -> None:
    """Precision-recall curves and calibration as pictures of the docs."""
    from matplotlib import pyplot as plt

    drawn = [row for row in ROWS if row not in ("C. elegans X, nor any family of its loci",)]
    figure, axes = plt.subplots(2, 3, figsize=(13, 7.6), layout="constrained")
    for axis, row in zip(axes.flat, drawn, strict=True):
        annotation, found = next(iter(compared(work, row).items()))
        for which, one in found.items():
            recall, precision = zip(*one.curve, strict=True) if one.curve else ((), ())
            axis.plot(recall, precision, label=f"{which} ({one.average_precision:.3f})", drawstyle="steps-post")
        axis.set(xlabel=f"recall of {annotation}", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axis.set_title(row, fontsize=9)
        axis.legend(fontsize=7)
    figure.savefig(ROOT / "docs" / "genome_precision_recall.png", dpi=110)
    plt.close(figure)
    figure, axis = plt.subplots(figsize=(4.4, 4), layout="constrained")
    elegans, human = CALIBRATED_ON["genome"]
    for row, others in ((elegans, [human]), (human, [elegans])):
        scores, mb = unannotated_scores(work, row)
        expected = np.sort(expected_fp_per_mb(scores, calibration_of(work, others)))
        observed = np.arange(1, len(expected) + 1) / mb
        axis.loglog(expected, observed, label=f"{row.partition(',')[0]}, calibrated on the other")
    axis.loglog([0.05, 1000], [0.05, 1000], color="grey", linewidth=0.8)
    axis.set(xlabel="expected false calls per Mb", ylabel="observed candidates of unannotated sequence per Mb")
    axis.legend(fontsize=7)
    figure.savefig(ROOT / "docs" / "genome_calibration.png", dpi=110)


def main() -> None:
    """Run the step that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("prepare", "train", "bundle", "measure", "figures"))
    parser.add_argument("runs", nargs="*", metavar="RUN", help=", ".join(RUNS))
    parser.add_argument("--work", type=Path, default=ROOT / "genome_work")
    arguments = parser.parse_args()
    work = Work(arguments.work)
    names = arguments.runs or list(RUNS)
    if arguments.step == "prepare":
        for kingdom, stem in {(run.kingdom, part.stem) for run in RUNS.values() for part in run.negatives + run.tests}:
            work.scan(stem, kingdom)
    elif arguments.step == "train":
        for name in names:
            train(work, name)
    elif arguments.step == "bundle":
        bundle(work, names)
    else:
        {"measure": measure, "figures": draw}[arguments.step](work)


if __name__ == "__main__":
    main()
