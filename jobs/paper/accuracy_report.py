"""The report of a reproduction: JSON, Markdown, pictures, and the scores of every held-out hairpin."""

import gzip
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mirsweep.jobs.paper.accuracy import Find, Measured
from mirsweep.jobs.paper.experiments import Row, TrainingRun, runs_of
from mirsweep.jobs.paper.figure_4 import REGION, Maps, average_maps, heat_map_of
from mirsweep.jobs.paper.quoted import QUOTED, Quoted, kind_of
from mirsweep.jobs.paper.training_runs import Finished
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.sequences import svg
from mirsweep.model.bootstrap import MEASURES
from mirsweep.model.recipes import AUTHORS_NAME

__all__ = ["JSON_NAME", "MARKDOWN_NAME", "SCORES_FOLDER", "as_json", "write_report"]

JSON_NAME, MARKDOWN_NAME, SCORES_FOLDER = "accuracy.json", "accuracy.md", "scores"
_TITLES = {
    "table 2": "Table 2: human and cross-species",
    "table 3": "Table 3: `new`, trained on cross-species",
    "figure 3": "Figure 3: sequence, structure, both",
    "table 4": "Table 4: architectures",
    "variants": "Where paper and code differ",
    "hyperparameters": "Appendix C: hyperparameters, one at a time, after a third of the epochs",
    "first fold": "Candidates on the first fold",
    "candidates": "The best of them on all folds",
    "best": "What validation chose, on the tests",
    "thresholds": "The same at the threshold of the highest F on the validation folds",
}


def as_json(
    measured: Sequence[Measured],
    *,
    settings: dict[str, Any],
    choices: dict[str, dict[str, float]],
    ks_tests: list[dict[str, Any]],
    maps: Sequence[Maps],
    missing: Sequence[TrainingRun],
) -> dict[str, Any]:
    """The whole report as JSON values."""
    rows = [
        {
            "part": each.row.part,
            "method": each.row.method,
            "held_out": list(each.row.tasks),
            "runs": [[run.id for run in runs] for runs in each.row.runs],
            "is_ensemble": each.row.is_ensemble,
            "threshold": each.row.threshold,
            "variant": each.variant,
            "n_seeds": each.n_seeds,
            "n_pos": each.n_pos,
            "n_neg": each.n_neg,
            "measures": each.measures,
        }
        for each in measured
        if each.measures
    ]
    return {
        "settings": settings,
        "rows": rows,
        "quoted": [each._asdict() for each in QUOTED],
        "choices": choices,
        "kolmogorov_smirnov": ks_tests,
        "figure_4": average_maps(maps),
        "missing": [{"run": run.id, "method": run.method, "task": run.task, "seed": run.seed} for run in missing],
    }


def write_report(
    output: Path, document: dict[str, Any], rows: Iterable[Row], find: Find, maps: Sequence[Maps] = ()
) -> None:
    """Write accuracy.json, accuracy.md, the pictures and the scores."""
    write_atomically(output / JSON_NAME, (json.dumps(document, indent=1) + "\n").encode())
    pictures = _pictures(document, maps)
    for name, picture in pictures.items():
        write_atomically(output / name, picture.encode())
    write_atomically(output / MARKDOWN_NAME, _markdown(document, list(pictures)).encode())
    _write_scores(output / SCORES_FOLDER, runs_of(list(rows)), find)


def _write_scores(folder: Path, runs: Sequence[TrainingRun], find: Find) -> None:
    """One table a task: label, is_clean, and a column a run (its id), in the order of the benchmark's files."""
    by_task: dict[str, list[Finished]] = {}
    for run in runs:
        if finished := find(run):
            by_task.setdefault(run.task, []).append(finished)
    for task, all_finished in by_task.items():
        names = [each.run.id for each in all_finished]
        first = all_finished[0]
        stream = io.StringIO()
        stream.write("\t".join(["label", "is_clean", *names]) + "\n")
        columns = np.array([each.scores for each in all_finished]).T
        for label, is_clean, scores in zip(first.labels, first.is_clean, columns, strict=True):
            stream.write("\t".join([str(label), str(int(is_clean)), *(f"{s:.9g}" for s in scores)]) + "\n")
        write_atomically(folder / f"{task}.tsv.gz", gzip.compress(stream.getvalue().encode(), mtime=0))


def _markdown(document: dict[str, Any], pictures: Sequence[str]) -> str:
    settings = document["settings"]
    lines = [
        "# Accuracy",
        "",
        f"{settings['epochs']} epochs (`{AUTHORS_NAME}` twice as many, hyperparameters a third, candidates "
        f"{settings['candidate_epochs']}); {settings['seeds']} seeds on tests, {settings['fold_seeds']} on folds. Each "
        "figure is the mean over seeds (and folds); in brackets the 95 % bootstrap interval over held-out hairpins. "
        "*Published* are all held-out hairpins, *cleaned* those that training does not hold or resemble.",
        "",
        f"    {settings['command']}",
    ]
    for part, title in _TITLES.items():
        rows = [row for row in document["rows"] if row["part"] == part]
        if rows:
            lines += ["", f"## {title}", "", *_table(part, rows)]
    if document["choices"]:
        lines += ["", "## Choice by validation", "", *_choices(document["choices"])]
    if document["kolmogorov_smirnov"]:
        lines += ["", "## Kolmogorov-Smirnov tests of the scores", "", *_ks_table(document["kolmogorov_smirnov"])]
    if document["figure_4"]:
        lines += ["", "## Figure 4: class activation maps", "", *_contrast(document["figure_4"])]
    lines += ["", *(f"![{name}]({name})" for name in pictures)]
    if document["missing"]:
        lines += ["", _unfinished(document["missing"])]
    return "\n".join(lines) + "\n"


def _unfinished(missing: Sequence[dict[str, Any]]) -> str:
    by_method: dict[str, dict[str, None]] = {}
    for each in missing:
        by_method.setdefault(each["method"], {})[each["task"]] = None
    named = "; ".join(f"{method} ({', '.join(tasks)})" for method, tasks in by_method.items())
    return (
        f"Training runs that are not finished ({len(missing)}), without which rows are measured or left out: {named}."
    )


def _table(part: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows by held-out set, each with the published figures of the same under it; then those of other methods."""
    head = ("method", "held-out set", "variant", "pos / neg", "seeds", *MEASURES)
    lines = [_cells(head), _cells(["---"] * len(head))]
    kinds = dict.fromkeys(kind_of(row["held_out"][0]) for row in rows)
    quoted = [each for each in QUOTED if part in each.parts and each.task in kinds]
    for kind in kinds:
        left = [each for each in quoted if each.task == kind]
        of_kind = [row for row in rows if kind_of(row["held_out"][0]) == kind]
        for row, following in zip(of_kind, [*of_kind[1:], None], strict=True):
            lines.append(_measured_line(row))
            if following is None or following["method"] != row["method"]:
                lines += [_quoted_line(each) for each in left if each.beside == row["method"]]
                left = [each for each in left if each.beside != row["method"]]
        lines += map(_quoted_line, left)
    sources = dict.fromkeys(each.source for each in quoted)
    return lines + (["", "Quoted: " + "; ".join(sources) + "."] if quoted else [])


def _measured_line(row: dict[str, Any]) -> str:
    place = (row["method"], _set_name(row["held_out"]), row["variant"], f"{row['n_pos']} / {row['n_neg']}")
    return _cells((*place, str(row["n_seeds"]), *(_value(row["measures"][name]) for name in MEASURES)))


def _quoted_line(quoted: Quoted) -> str:
    values = (f"{quoted.measures[name]:.3f}" if name in quoted.measures else "" for name in MEASURES)
    task = quoted.task.replace(" folds", ", 5 folds")
    return _cells((f"*{quoted.method}* (quoted)", task, "published", "", "", *values))


def _value(measure: dict[str, float]) -> str:
    return f"{measure['mean']:.3f} [{measure['low']:.3f}, {measure['high']:.3f}]"


def _set_name(tasks: Sequence[str]) -> str:
    if len(tasks) == 1:
        return tasks[0]
    return f"{tasks[0].split('-')[0]}, {len(tasks)} folds"


def _cells(values: Iterable[str]) -> str:
    return "| " + " | ".join(values) + " |"


def _choices(choices: dict[str, dict[str, float]]) -> list[str]:
    lines = [_cells(("species", "chosen", "mean AUPR of the validation folds")), _cells(["---"] * 3)]
    for species, by_name in choices.items():
        values = ", ".join(f"{name}: {value:.4f}" for name, value in by_name.items())
        lines.append(_cells((species, next(iter(by_name)), values)))
    return lines


def _ks_table(tests: Sequence[dict[str, Any]]) -> list[str]:
    head = ("method", "species", "what", "n", "statistic", "p")
    rows = (
        (
            t["method"],
            t["species"],
            t["what"],
            f"{t['n_first']}, {t['n_second']}",
            f"{t['statistic']:.3f}",
            f"{t['p']:g}" if t["p"] else "< 1e-300",  # what a float64 does not hold
        )
        for t in tests
    )
    return [_cells(head), _cells(["---"] * len(head)), *map(_cells, rows)]


def _contrast(by_task: dict[str, Any]) -> list[str]:
    region = f"{REGION[0]}-{REGION[1]} %"
    lines = [_cells(("held-out set", "seeds", "profile", region, "elsewhere")), _cells(["---"] * 5)]
    for task, maps in by_task.items():
        for profile, values in maps["difference"].items():
            places = (f"{values[place]:.3f}" for place in (region, "elsewhere"))
            lines.append(_cells((task, str(maps["n_seeds"]), profile, *places)))
    return [
        "Mean of the profile over hairpins predicted to be pre-miRNAs less that over the others, by place (0 % is the "
        "5' end):",
        "",
        *lines,
    ]


def _pictures(document: dict[str, Any], maps: Sequence[Maps]) -> dict[str, str]:
    """SVG files by name."""
    pictures = {}
    for part, name in (("figure 3", "figure3"), ("table 4", "table4"), ("variants", "variants")):
        for species in ("human", "cross"):
            rows = [row for row in document["rows"] if (row["part"], row["variant"]) == (part, "published")]
            rows = [row for row in rows if row["held_out"][0].startswith(species)]
            if rows:
                pictures[f"{name}-{species}.svg"] = _bars(rows, f"AUPR, {_TITLES[part].partition(':')[0]}, {species}")
    for task, found in (document["figure_4"] or {}).items():
        axis = np.array(found["axis_percent"])
        for profile, by_class in found["profiles"].items():
            lines = [svg.Line(name, axis, np.array(values)) for name, values in by_class.items()]
            pictures[f"figure4-{task}-{profile}.svg"] = svg.line_chart(
                lines,
                title=f"{profile}, mean, {task}",
                x_label="% of the hairpin, from the 5' end",
                y_label=profile,
                band=REGION,
            )
    firsts = {each.task: each for each in reversed(maps)}
    return pictures | {f"figure4-{task}-heat.svg": heat_map_of(each) for task, each in firsts.items()}


def _bars(rows: Sequence[dict[str, Any]], title: str) -> str:
    bars = [svg.Bar(row["method"], *(row["measures"]["AUPR"][key] for key in ("mean", "low", "high"))) for row in rows]
    return svg.bar_chart(bars, title=title, y_label="AUPR")
