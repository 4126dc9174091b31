"""How a scan was made, in words: genomes, model, parameters, versions."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mirsweep.jobs.report import numbers
from mirsweep.jobs.report.content import Fact

__all__ = ["provenance"]

_MOST_GENOMES = 20
_PARAMETERS = {
    "min_span": ("shortest hairpin", "nt"),
    "max_span": ("longest hairpin", "nt"),
    "per_nt": ("penalty on length", "kcal/mol per nt"),
    "threshold": ("energy threshold", "kcal/mol"),
    "long_span": ("long from", "nt"),
    "long_penalty": ("penalty on a long one", "kcal/mol"),
    "nested": ("nested candidates", ""),
    "flank": ("flank", "nt"),
    "stem_filter": ("stem filter", ""),
    "strand": ("strand", ""),
    "fold_engine": ("fold engine", ""),
    "shard_nt": ("bases in a shard", "nt"),
}


def provenance(run: Mapping[str, Any], reads: Mapping[str, Any] | None = None) -> list[tuple[str, list[Fact]]]:
    """Headings and the facts below each.

    Parameters
    ----------
    run
        What run.json tells.
    reads
        What the table of evidence tells of the reads, if there is one.
    """
    parameters = run.get("parameters", {})
    return [
        ("What was scanned", _scanned(run)),
        ("Model and run", _model(run)),
        *([("Small-RNA reads", _reads(reads))] if reads else []),
        ("Parameters", [_parameter(name, value) for name, value in parameters.items()]),
        ("Versions", [Fact(name, str(value)) for name, value in run.get("versions", {}).items()]),
    ]


def _scanned(run: Mapping[str, Any]) -> list[Fact]:
    genomes, counts = run["genomes"], run["counts"]
    facts = [Fact(genome["name"], ", ".join(_of_genome(genome))) for genome in genomes[:_MOST_GENOMES]]
    if len(genomes) > _MOST_GENOMES:
        facts.append(Fact("other genomes", numbers.count(len(genomes) - _MOST_GENOMES)))
    facts.append(Fact("other letters than ACGT", f"{numbers.count(counts.get('n_invalid', 0))} nt"))
    if counts.get("n_too_short"):
        facts.append(Fact("in stretches too short for a hairpin", f"{numbers.count(counts['n_too_short'])} nt"))
    if any("scanned" in genome for genome in genomes):
        facts.append(Fact("parts", "only parts of the genome were scanned"))
    if counts.get("n_shards_failed"):
        facts.append(Fact("shards that failed", numbers.count(counts["n_shards_failed"])))
    return facts


def _of_genome(genome: Mapping[str, Any]) -> list[str]:
    found = []
    if "file" in genome:
        found.append(Path(genome["file"]).name)
    if "length" in genome:
        found.append(numbers.length(genome["length"]))
    if "n_contigs" in genome:
        found.append(f"{numbers.count(genome['n_contigs'])} contig{'' if genome['n_contigs'] == 1 else 's'}")
    if "digest" in genome:
        found.append(f"digest {genome['digest'][:12]}")
    return found


def _model(run: Mapping[str, Any]) -> list[Fact]:
    model, seconds = run.get("model", {}), run.get("seconds", {})
    facts = [
        Fact("model", str(model.get("label", numbers.DASH))),
        Fact("sha256 of the weights", str(model.get("digest", numbers.DASH))),
    ]
    if "finished" in run:
        facts.append(Fact("finished", _date(run["finished"])))
    if "wall" in seconds:
        facts.append(Fact("time", f"{seconds['wall']:,.0f} s"))
    return facts


def _reads(reads: Mapping[str, Any]) -> list[Fact]:
    libraries = reads.get("libraries", [])
    facts = [
        Fact(each["library"], f"{numbers.count(round(each['total_reads']))} mapped reads, {each['file']}")
        for each in libraries[:_MOST_GENOMES]
    ]
    if len(libraries) > _MOST_GENOMES:
        facts.append(Fact("other libraries", numbers.count(len(libraries) - _MOST_GENOMES)))
    return [Fact("criteria", f"those of {reads.get('criteria', numbers.DASH)}s"), *facts]


def _date(text: str) -> str:
    """A date of run.json for readers, as it stands if it is none.

    >>> _date("2026-11-25T22:04:31+00:00")
    '25 November 2026, 22:04 UTC'
    """
    try:
        return f"{datetime.fromisoformat(text):%-d %B %Y, %H:%M %Z}"
    except ValueError:
        return text


def _parameter(name: str, value: Any) -> Fact:
    label, unit = _PARAMETERS.get(name, (name.replace("_", " "), ""))
    if isinstance(value, bool):
        return Fact(label, "yes" if value else "no")
    shown = numbers.minus(numbers.count(value) if isinstance(value, int) else str(value))
    return Fact(label, f"{shown} {unit}".strip() if value is not None else numbers.DASH)
