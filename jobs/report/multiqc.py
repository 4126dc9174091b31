"""What a scan found as custom content of MultiQC: a table of its genomes, one section for the reports of many scans."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mirsweep.jobs.report.trust import trust_of
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.outputs import check_file
from mirsweep.scanner.errors import InputError

__all__ = ["check_name", "content", "write_content"]

_ENDING = "_mqc.json"
"""By this MultiQC knows the files that it reads."""
_HEADERS = {
    "strict": ("Strict loci", "Loci that pass the strict limit", "{:,.0f}"),
    "balanced": ("Likely loci", "Loci that pass the balanced limit", "{:,.0f}"),
    "sensitive": ("Sensitive loci", "Loci that pass the sensitive limit", "{:,.0f}"),
    "n_loci": ("Loci of any score", "All loci of the second pass", "{:,.0f}"),
    "n_candidates": ("Candidates", "Hairpins that were scored", "{:,.0f}"),
    "scanned_mb": ("Scanned", "Mb of genome that were scanned on both strands", "{:,.2f}"),
}


def check_name(path: str | os.PathLike) -> Path:
    """Check that MultiQC would find the file, and that it can be written.

    Raises
    ------
    InputError
        If the name does not end in ``_mqc.json``, or the place cannot be written.
    """
    if os.fspath(path) and not Path(path).name.endswith(_ENDING):
        raise InputError(f"{os.fspath(path)}: MultiQC reads files whose names end in {_ENDING}: choose such a name.")
    return check_file(path)


def write_content(path: Path, loci: pa.Table, run: Mapping[str, Any]) -> None:
    """Write the content of a scan for MultiQC.

    Parameters
    ----------
    loci
        All of them, columns genome and those that :func:`mirsweep.jobs.report.trust.trust_of` needs.
    run
        What run.json tells.
    """
    write_atomically(path, json.dumps(content(loci, run), indent=2).encode())


def content(loci: pa.Table, run: Mapping[str, Any]) -> dict[str, Any]:
    """The document: a table with a row for each genome, whose limits the description tells."""
    trust = trust_of(loci, run)
    limits = ", ".join(f"{level.name} {level.limit}" for level in trust.levels)
    return {
        "id": "mirsweep",
        "section_name": "mirsweep",
        "description": f"Loci that may be pre-miRNAs, by how many false ones are expected ({limits}).",
        "plot_type": "table",
        "pconfig": {"id": "mirsweep_loci", "title": "mirsweep: loci", "namespace": "mirsweep"},
        "headers": {
            name: {"title": title, "description": description, "format": form, "min": 0}
            for name, (title, description, form) in _HEADERS.items()
        },
        "data": _rows(loci, trust.level_of, run),
    }


def _rows(loci: pa.Table, level_of: np.ndarray, run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    genomes = loci["genome"].cast(pa.string()).to_numpy(zero_copy_only=False)
    rows = {}
    for genome in run["genomes"]:
        own, counts = level_of[genomes == genome["name"]], genome["counts"]
        at_most = {name: int((own <= level).sum()) for level, name in enumerate(("strict", "balanced", "sensitive"))}
        rows[genome["name"]] = at_most | {
            "n_loci": len(own),
            "n_candidates": counts["n_candidates"],
            "scanned_mb": round(counts["n_scanned"] / 1e6, 3),
        }
    return rows
