"""Encoding: the numba kernel beside its plain-Python reference, in one run.

    python benchmarks/bench_encode.py [--json] [--n 20000]

Writes benchmarks/results/encode.json.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from harness import ROOT, best_seconds, random_hairpins, write_result
from mirsweep.model.encode import encode, lengths_of

sys.path.insert(0, str(ROOT / "tests"))
from reference_model import encode_reference

N_REFERENCE = 500


def measure(n: int) -> dict[str, float | int | str]:
    """Bases a second of both, on random hairpins of 45 to 130 nt."""
    sequences, structures = random_hairpins(n)
    lengths = lengths_of(sequences)
    width = int(lengths.max())
    few = list(zip(sequences[:N_REFERENCE], structures[:N_REFERENCE], strict=True))
    expected = np.array([encode_reference(s, d, width) for s, d in few], np.uint8)
    assert np.array_equal(encode(sequences, structures)[: len(few)], expected)
    kernel = lengths.sum() / best_seconds(lambda: encode(sequences, structures), repeats=5)
    reference = lengths[: len(few)].sum() / best_seconds(
        lambda: [encode_reference(s, d, width) for s, d in few], repeats=3
    )
    return {
        "command": f"python benchmarks/{Path(__file__).name} --n {n}",
        "n_hairpins": n,
        "kernel_mbase_per_s": round(kernel / 1e6, 3),
        "kernel_hairpins_per_s": round(kernel / lengths.mean()),
        "reference_mbase_per_s": round(reference / 1e6, 4),
        "ratio": round(kernel / reference, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--n", type=int, default=20000, help="hairpins")
    options = parser.parse_args()
    figures = measure(options.n)
    write_result("encode", figures)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(
            f"encode: {figures['kernel_mbase_per_s']} Mbase/s by the kernel, "
            f"{figures['reference_mbase_per_s']} Mbase/s in plain Python, ratio {figures['ratio']}"
        )


if __name__ == "__main__":
    main()
