"""Which contigs of a scan its model was trained on: figures of known loci there tell nothing of other genomes."""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from mirsweep.jobs.results.contigs import Contig
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.json_files import MalformedError, check_fields
from mirsweep.model.card import read_facts
from mirsweep.scanner.containers import is_stream
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome, open_genome

__all__ = ["contigs_of_card", "contigs_trained_on", "describe_contigs", "described_contigs", "lengths_trained_on"]

_MOST_DESCRIBED = 100


def describe_contigs(genomes: list[Genome]) -> list[dict[str, Any]]:
    """What a model's card tells of the contigs that it was trained on: name, length in nt and refget identifier.

    Of more than 100 the longest.
    """
    contigs = [(contig.length, contig.name, genome) for genome in genomes for contig in genome.contigs]
    longest = sorted(contigs, key=lambda each: -each[0])[:_MOST_DESCRIBED]
    return [{"contig": name, "length": nt, "refget": genome.refget(name)} for nt, name, genome in longest]


def described_contigs(told: Any) -> list[dict[str, Any]]:
    """Of what a card or run.json tells of contigs that which can be such."""
    kinds = {"contig": str, "length": int, "refget": str}
    found = []
    for each in told if isinstance(told, list) else []:
        with suppress(MalformedError):
            check_fields(each, kinds)
            found.append({name: each[name] for name in kinds})
    return found


def contigs_of_card(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a model's card tells of the contigs that it was trained on; an older one nothing."""
    data = card["data"]
    return described_contigs(data.get("contigs")) if isinstance(data, dict) else []


def lengths_trained_on(model: str | os.PathLike) -> frozenset[int]:
    """Lengths, nt, of the contigs that a model was trained on, by its card: others need not be compared with them.

    Parameters
    ----------
    model
        Name or path of the weights.

    Raises
    ------
    ModelError
        If there is no such model, or its card is damaged.
    """
    return frozenset(each["length"] for each in contigs_of_card(read_facts(model).card))


def contigs_trained_on(
    output: Output, genome: str | None = None, *, opened: Mapping[str, Genome] | None = None
) -> list[str]:
    """Names of the contigs of a complete scan that its model was trained on, by run.json.

    They are told by their letters. Where the genome cannot be read any more, a contig of the same name and length is
    taken for the same.

    Parameters
    ----------
    genome
        Of this genome only; of all by default.
    opened
        Genomes that are open, by name; the files of others are opened.
    """
    run = output.run or {}
    known = described_contigs(run.get("model", {}).get("trained_on", []))
    lengths = {each["length"] for each in known}
    of_length = [contig for contig in output.contigs if contig.length in lengths and genome in (None, contig.genome)]
    files = {each["name"]: each.get("file") for each in run.get("genomes", [])}
    found = opened or {}
    return [each.contig for each in of_length if _is_among(each, known, found.get(each.genome), files.get(each.genome))]


def _is_among(contig: Contig, known: Sequence[Mapping[str, Any]], opened: Genome | None, file: str | None) -> bool:
    with suppress(InputError):
        if opened is not None:
            return opened.refget(contig.contig) in {each["refget"] for each in known}
        if file and not is_stream(Path(file)):
            with closing(open_genome(file)) as genome:
                return genome.refget(contig.contig) in {each["refget"] for each in known}
    return (contig.contig, contig.length) in {(each["contig"], each["length"]) for each in known}
