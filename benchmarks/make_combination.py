"""Fits the second pass's combination of a locus's evidence, and the rates of false loci that come with it.

    python benchmarks/make_combination.py

Needs the work folder of ``make_genome_models.py``: its scans and held-out models. Loci on known precursors (MirGeneDB's
where there are such, else miRBase's) are positives, those 100 nt and more from any are negatives; each chromosome is
scored by models that have not seen it. Writes ``jobs/loci/combination.json``.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from genome_loci import FITTED_ON, RATES_OF, fit, loci_of_row, rates
from genome_runs import WORK, Work
from harness import ROOT
from mirsweep.jobs.loci.combination import TERMS

PATH = ROOT / "jobs" / "loci" / "combination.json"


def main() -> None:
    """Fit on all rows, and write what is bundled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    work = Work(parser.parse_args().work)
    by_row = {row: loci_of_row(work, row) for row in FITTED_ON}
    model = fit([loci for parts in by_row.values() for loci in parts])
    content = {
        "command": "python benchmarks/make_combination.py",
        "fitted_on": list(FITTED_ON),
        "weights": dict(zip(TERMS, np.round(model.coef_[0], 4).tolist(), strict=True)),
        "intercept": round(float(model.intercept_[0]), 4),
        "rates_of": list(RATES_OF),
        "rates": rates(model, [loci for row in RATES_OF for loci in by_row[row]]),
    }
    PATH.write_text(json.dumps(content, indent=1) + "\n")
    print(content["weights"], content["intercept"])


if __name__ == "__main__":
    main()
