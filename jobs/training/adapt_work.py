"""The folder of an adaptation under way: what lies in it belongs to one set of inputs and parameters."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.json_files import MalformedError, read_object
from mirsweep.jobs.results.outputs import check_folder
from mirsweep.jobs.training.adapt_inputs import Inputs, StartingModel
from mirsweep.scanner.errors import InputError

__all__ = ["SCAN", "STATE", "claim_work"]

SCAN, STATE = "scan", "training.state"
"""Names of the scan of the genome and of the state of the training run within the folder."""
_FACTS = "adapt.json"


def claim_work(folder: Path, inputs: Inputs, base: StartingModel, settings: dict[str, Any]) -> Path:
    """The folder of what is done so far; refused if it belongs to another adaptation."""
    facts = {
        "mirsweep": version("mirsweep"),
        "genomes": [[genome.name, genome.digest] for genome in inputs.genomes],
        "known": _digest([[*locus] for locus in inputs.loci]),
        "examples": inputs.digests,
        "start_from": base.card["digest"],
    } | settings
    check_folder(folder)
    stands = folder / _FACTS
    if not stands.exists():
        if any(folder.iterdir()):
            raise InputError(f"{folder}: holds something else than the work of mirsweep adapt: choose another -o.")
        write_atomically(stands, json.dumps(facts, indent=1).encode())
        return folder
    there = _read_facts(stands)
    for name, ours in facts.items():
        if there.get(name) != ours:
            raise InputError(
                f"{folder}: holds the work of another adaptation ({name}: there {there.get(name, 'none')}, here "
                f"{ours}): delete it to start anew, or choose another -o."
            )
    return folder


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except (OSError, MalformedError) as error:
        raise InputError(f"{path}: damaged or not readable ({error}): delete its folder to start anew.") from error


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
