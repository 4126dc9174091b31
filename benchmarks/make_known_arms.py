"""Makes the table of known precursors' arms that the second pass compares loci with.

    python benchmarks/make_known_arms.py          jobs/loci/known_arms.safetensors; ten seconds

From miRBase v22, which is in the public domain. Of each precursor both mature sequences, where they are known, each
once. MirGeneDB says which families miRBase's numbers keep apart, and where the arms of the records that it shares with
miRBase begin; sequences of its own are not in the table. Some records of miRBase are the antisense of well-known
precursors, by the name of the same family or another; they are left out.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from genome_runs import all_precursors
from harness import find_data
from mirsweep.jobs.loci.known_arms import ARM_NT, PATH, KnownArms, Words
from mirsweep.jobs.training.precursors import Precursor
from mirsweep.scanner.alphabet import BREAK, encode

_LEAST_NT = 18
_OF_MANY, _OF_FEW = 5, 2


def known_arms(precursors: Sequence[Precursor]) -> KnownArms:
    """The arms of miRBase's records among some precursors: MirGeneDB's give families and where arms begin."""
    species = _species_of(precursors)
    found: dict[tuple[str, bool], tuple[int, int, str, str]] = {}
    for p in precursors:
        if p.source != "miRBase":
            continue
        n = len(species[_family(p)])
        sureness = 2 if p.core is not None or n >= _OF_MANY else int(n >= _OF_FEW)
        arms = _arms(p)
        for is_3p in (False, True):
            if arms[is_3p]:
                known = (sureness, n, shown_family(p), arms[not is_3p])
                key = arms[is_3p], is_3p
                found[key] = max(found[key], known) if key in found else known
    families = sorted({family for _, _, family, _ in found.values()})
    number = {family: k for k, family in enumerate(families)}
    return KnownArms.of(
        _words([arm for arm, _ in found]),
        _words([opposite for *_, opposite in found.values()]),
        np.array([is_3p for _, is_3p in found]),
        np.array([sureness for sureness, *_ in found.values()], np.uint8),
        np.array([number[family] for _, _, family, _ in found.values()], np.int64),
        families,
    )


def shown_family(precursor: Precursor) -> str:
    """Name of a family: ``mir-10``, ``let-7``; ``MIR156`` of plants, whose numbers are their own."""
    family = _family(precursor)[1]
    for stem in ("mir", "let", "lin"):
        rest = family.removeprefix(stem)
        if rest != family and rest[:1].isdigit():
            return f"MIR{rest}" if precursor.kingdom == "plant" else f"{stem}-{rest}"
    return family


def _family(precursor: Precursor) -> tuple[bool, str]:
    return precursor.kingdom == "plant", precursor.curated_family or precursor.family


def _species_of(precursors: Sequence[Precursor]) -> dict[tuple[bool, str], set[str]]:
    found: dict[tuple[bool, str], set[str]] = defaultdict(set)
    for p in precursors:
        found[_family(p)].add(p.species)
    return found


def _arms(precursor: Precursor) -> tuple[str, str]:
    """Mature sequences of the 5' and the 3' arm, up to ``ARM_NT`` from the 5' end on; empty where unknown. A record
    of MirGeneDB ends with them."""
    found = []
    for start, end in (precursor.arms[:2], precursor.arms[2:]):
        is_known = start >= 0 and end - start >= _LEAST_NT
        found.append(precursor.sequence[start:end][:ARM_NT] if is_known else "")
    if precursor.core is not None:
        start, end = precursor.core
        found = [
            found[0] or precursor.sequence[start : start + ARM_NT],
            found[1] or precursor.sequence[end - ARM_NT : end],
        ]
    return found[0], found[1]


def _words(arms: Sequence[str]) -> Words:
    codes = np.full((len(arms), ARM_NT), BREAK, np.uint8)
    for row, arm in zip(codes, arms, strict=True):
        row[: len(arm)] = encode(arm.encode())
    return Words.of(codes)


def main() -> None:
    """Make the table of all of them."""
    known = known_arms(all_precursors(find_data()))
    known.save(PATH)
    print(f"{len(known.family)} arms of {len(known.families)} families, {PATH.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
