"""Keep, check and bundle what ``mirsweep reproduce -o OUT`` has trained.

    python benchmarks/measure_accuracy.py collect OUT        # figures, scores and pictures into benchmarks/results
    python benchmarks/measure_accuracy.py restore OUT        # the committed training runs, to go on from
    python benchmarks/measure_accuracy.py check              # measures again from the committed scores
    python benchmarks/measure_accuracy.py variants           # prints where paper and code differ, fold by fold
    python benchmarks/measure_accuracy.py bundle OUT NAME RUN [RUN ...] [--into DIR]

``bundle`` makes the weights of the first RUN (a folder's name in OUT/runs) the bundled model NAME, or one in DIR; the
measures of this and of the other runs, which are training runs of the same recipe, go on its card, and so do digests of
the sequences that it was trained on. ``make_packed_models.py`` packs the weights then.

``restore`` makes a folder in which ``mirsweep reproduce -o OUT`` trains only what is not committed. Of weights it has
those of the bundled models, from which figure 4 is drawn.
"""

import argparse
import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness import ROOT, commit, machine, versions, write_result
from mirsweep.jobs.paper.experiments import Extent, paper_rows
from mirsweep.model.bootstrap import HeldOut, intervals
from mirsweep.model.checkpoint import BUNDLED, load, save
from mirsweep.model.metrics import THRESHOLD, evaluate

RESULTS = ROOT / "benchmarks" / "results"
SCORES = RESULTS / "accuracy_scores"
PICTURES = ROOT / "docs" / "accuracy"
LICENCE = (
    "Training sequences: miRBase pre-miRNAs and non-miRNA hairpins of the deepMiRGene benchmark (github.com/eleventh83/"
    "deepMiRGene, reproduce/dataset), published without a licence statement; the weights hold none of the sequences."
)


def collect(output: Path) -> None:
    document = json.loads((output / "accuracy.json").read_text())
    runs = {path.parent.name: json.loads(path.read_text()) for path in sorted(output.glob("runs/*/run.json"))}
    for record in runs.values():
        record.pop("losses", None)
    print(write_result("accuracy", document | {"trainings": runs, "trained": _trained(runs)}))
    for source, target in ((output / "scores", SCORES), (output, PICTURES)):
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.glob("*.tsv.gz" if target == SCORES else "*.svg")):
            shutil.copy(path, target)
    shutil.copy(output / "accuracy.md", PICTURES / "tables.md")


def _trained(runs: dict[str, Any]) -> dict[str, Any]:
    """By what was trained: machine, versions and commit; runs that the committed results hold keep theirs."""
    path = RESULTS / "accuracy.json"
    former = json.loads(path.read_text()) if path.is_file() else {"trainings": {}}
    new = [record for run, record in runs.items() if former["trainings"].get(run) != record]
    here = {"machine": machine(), "versions": versions(), "commit": commit()}
    if len(new) == len(runs):
        return {"all": here}
    methods = ", ".join(sorted({record["method"] for record in new}))
    return former["trained"] | ({f"{len(new)} training runs of {methods}": here} if new else {})


def restore(output: Path) -> None:
    """Write the committed training runs as ``mirsweep reproduce`` leaves them; a run that is there is kept."""
    trainings = json.loads((RESULTS / "accuracy.json").read_text())["trainings"]
    weights = {json.loads(card.read_text()).get("trained_digest", ""): card for card in BUNDLED.glob("*.json")}
    for path in sorted(SCORES.glob("*.tsv.gz")):
        with gzip.open(path, "rt") as stream:
            names, *lines = (line.rstrip("\n").split("\t") for line in stream)
        for column, run in enumerate(names):
            folder = output / "runs" / run
            if run not in trainings or (folder / "run.json").exists():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            rows = "".join(f"{line[0]}\t{line[1]}\t{line[column]}\n" for line in lines)
            (folder / "scores.tsv").write_text(f"label\tis_clean\tscore\n{rows}")
            if card := weights.get(trainings[run].get("digest", "none")):
                shutil.copy(card, folder / "weights.json")
                shutil.copy(card.with_suffix(".safetensors"), folder / "weights.safetensors")
            (folder / "run.json").write_text(json.dumps(trainings[run], indent=1) + "\n")


def check(document: dict[str, Any], scores: Path) -> float:
    """Largest difference of a mean or an interval's end from what the scores give again."""
    largest = 0.0
    for row in document["rows"]:
        sets = [_held_out(task, runs, row, scores) for task, runs in zip(row["held_out"], row["runs"], strict=True)]
        for name, again in intervals(sets).items():
            known = row["measures"][name]
            largest = max(largest, *(abs(known[key] - value) for key, value in again._asdict().items()))
    return largest


def variants(scores: Path) -> Iterator[str]:
    """Lines of a table: AUPR, SE, SP and F of each variant on each of its finished folds, and their means.

    Values are rounded twice, as in the report.
    """
    names = ("AUPR", "SE", "SP", "F")
    yield from ("| difference from the text | fold | AUPR | SE | SP | F |", "|---|---|---|---|---|---|")
    for row in paper_rows({"variants"}, Extent()):
        found: dict[str, np.ndarray] = {}
        for task, (run,) in zip(row.tasks, row.runs, strict=True):
            columns, table = _read_scores(scores / f"{task}.tsv.gz")
            if run.id in columns:
                measures = evaluate(table[:, columns.index(run.id)], table[:, 0])
                found[task] = np.array([getattr(measures, name) for name in names])
        if found:
            found[f"mean of {len(found)}"] = np.mean(list(found.values()), axis=0)
        for fold, values in found.items():
            yield f"| {row.method} | {fold} | " + " | ".join(f"{round(value, 4):.3f}" for value in values) + " |"


@cache
def _read_scores(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of the columns and their values: label, is_clean, and the scores of each training run."""
    return np.loadtxt(path, dtype=str, max_rows=1, comments=None).tolist(), np.loadtxt(path, skiprows=1)


def _held_out(task: str, runs: list[str], row: dict[str, Any], scores: Path) -> HeldOut:
    names, table = _read_scores(scores / f"{task}.tsv.gz")
    kept = table[:, 1] > 0 if row["variant"] == "cleaned" else np.ones(len(table), bool)
    columns = table[kept][:, [names.index(run) for run in runs if run in names]].T
    scores = columns.mean(axis=0, keepdims=True) if row["is_ensemble"] else columns
    return HeldOut(table[kept, 0], scores + (THRESHOLD - row.get("threshold", THRESHOLD)))


def bundle(output: Path, name: str, runs: list[str], folder: Path) -> None:
    records = {run: json.loads((output / "runs" / run / "run.json").read_text()) for run in runs}
    chosen = records[runs[0]]
    weights = load(output / "runs" / runs[0] / "weights.safetensors")
    facts = {key: chosen[key] for key in chosen if key.startswith("n_")} | {"seconds": chosen["seconds"]}
    data = {"name": f"deepMiRGene benchmark, {chosen['train']}"} | facts
    if told := weights.card["data"].get("sequences"):
        data["sequences"] = told
    save(
        folder / name,
        weights.net,
        data=data,
        licence=LICENCE,
        protocol=chosen["settings"] | {"command": "mirsweep reproduce", "run": runs[0]},
        metrics={record["task"]: _measured(output / "runs" / run, record) for run, record in records.items()},
    )
    print(folder / f"{name}.safetensors")


def _measured(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    labels, is_clean, scores = np.loadtxt(folder / "scores.tsv", skiprows=1).T
    kept = {"published": np.ones(len(labels), bool), "cleaned": is_clean > 0}
    measures = {variant: evaluate(scores[rows], labels[rows])._asdict() for variant, rows in kept.items()}
    rounded = {variant: {k: round(v, 4) for k, v in each.items()} for variant, each in measures.items()}
    return {"trained_on": record["train"]} | rounded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("collect").add_argument("output", type=Path)
    steps.add_parser("restore").add_argument("output", type=Path)
    steps.add_parser("check")
    steps.add_parser("variants")
    bundled = steps.add_parser("bundle")
    bundled.add_argument("output", type=Path)
    bundled.add_argument("name")
    bundled.add_argument("runs", nargs="+")
    bundled.add_argument("--into", type=Path, default=BUNDLED)
    options = parser.parse_args()
    if options.step == "collect":
        collect(options.output)
    elif options.step == "restore":
        restore(options.output)
    elif options.step == "variants":
        print("\n".join(variants(SCORES)))
    elif options.step == "bundle":
        bundle(options.output, options.name, options.runs, options.into)
    else:
        largest = check(json.loads((RESULTS / "accuracy.json").read_text()), SCORES)
        print(f"largest difference from benchmarks/results/accuracy.json: {largest:.1e}")
        sys.exit(largest > 2e-4)


if __name__ == "__main__":
    main()
