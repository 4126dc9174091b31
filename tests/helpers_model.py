"""A hairpin that everyone knows, and small examples for the genome model."""

import numpy as np

from mirsweep.model.examples import Examples

LET_7 = "UACACUGUGGAUCCGGUGAGGUAGUAGGUUGUAUAGUUUGGAAUAUUACCACCGGUGAACUAUGCAAUUUUCUACCUUACCGGAGACAGAACUCUUCGA"
"""C. elegans let-7, miRBase's record."""
LET_7_FOLD = ".....(.((..(((((((((((((.((((((((((((........(((((...))))))))))))))))).)))))))))))))..)).)........."


def random_examples(rng: np.random.Generator, n: int, label: int) -> Examples:
    """Perfect stems of 20 pairs around a loop of 6 (label 1) or 16 (label 0)."""
    sequences, structures = [], []
    n_loop = 6 if label else 16
    for _ in range(n):
        arm = "".join(rng.choice(list("ACGU"), 20))
        back = arm[::-1].translate(str.maketrans("ACGU", "UGCA"))
        sequences.append(arm + "A" * n_loop + back)
        structures.append("(" * 20 + "." * n_loop + ")" * 20)
    arms = np.tile([0, 20, 20 + n_loop, 40 + n_loop], (n, 1)) if label else np.full((n, 4), -1)
    flanks = ["ACGU" * 6] * n
    return Examples(
        sequences,
        structures,
        flanks,
        flanks,
        np.full(n, label, np.uint8),
        np.ones(n, np.float32),
        [f"s{k % 3}" for k in range(n)] if label else [""] * n,
        [""] * n,
        arms.astype(np.int16),
    )
