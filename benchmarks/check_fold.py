"""Is the batched folder RNAfold? Energies and structures beside RNA.fold on more than 200,000 sequences.

    python benchmarks/check_fold.py [--json] [--limit N] [--fresh]
    python benchmarks/check_fold.py --fold-engine cuda --limit 16000 --workers 16      # on a GPU: 100,000 sequences
    python benchmarks/check_fold.py --same-as OTHER/bin/python                         # minutes in place of hours

Sequences: the deepMiRGene sets, miRBase and MirGeneDB precursors, hairpin candidates and random windows of the
genomes, random sequences, adversarial ones, long ones. Writes benchmarks/results/fold_equality.json (of another engine
fold_equality-ENGINE.json) after every chunk; run again, it goes on where it stopped, or starts over when the engine's
code has changed (or with --fresh). Exit code 1 if an energy differs, or a structure has another energy than stated.

OTHER is the environment of a checkout whose code the committed figures are of. If this code folds all sequences as that
does, the figures hold for it, too, and are kept as its own, with the number of sequences that both have folded.
"""

import argparse
import csv
import gzip
import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import RNA

from harness import ROOT, find_data, write_result
from mirsweep.scanner import InputError, find_hairpins, fold, open_genome, read_sequences
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.foldinput import MAX_LENGTH

CHUNKS = {"batch": 500, "cuda": 8192}
"""Sequences that are folded at once, by engine."""
MOST_EXAMPLES = 20
RESULTS = ROOT / "benchmarks" / "results"
CODE = (
    "batchfold.py",
    "_bare_kernel.py",
    "_batchfold_arrays.py",
    "_batchfold_fill_kernels.py",
    "_batchfold_nested_kernels.py",
    "_batchfold_trace_kernels.py",
    "foldinput.py",
    "foldtables.py",
    "turner.py",
    "_vectors.py",
)
"""What decides the batched folder's answers: figures of other code are not added to."""
CODE_OF_GPU = ("cudafold.py", "_cudafold_kernels.py")
"""And the answers of a GPU."""


class Engine(NamedTuple):
    """What is checked, and how many processes RNA.fold gets."""

    name: str
    workers: int

    @property
    def result(self) -> Path:
        return RESULTS / ("fold_equality.json" if self.name == "batch" else f"fold_equality-{self.name}.json")

    @property
    def command(self) -> str:
        options = "" if self.name == "batch" else f" --fold-engine {self.name}"
        return f"python benchmarks/check_fold.py{options}"

    @property
    def code(self) -> str:
        """Digest of what decides the engine's answers."""
        return _digest(ROOT, (*CODE, *(CODE_OF_GPU if self.name == "cuda" else ())))


def _digest(root: Path, names: Iterable[str]) -> str:
    """Digest of ViennaRNA's version and of these files of a checkout's scanner."""
    digest = hashlib.sha256(RNA.__version__.encode())
    for name in names:
        digest.update((root / "scanner" / name).read_bytes())
    return digest.hexdigest()[:16]


GENOMES = {
    "cel_ce2_chrX.fa.gz": (1_000_000, 11_000_000),
    "ath_TAIR10_chr1.fa.gz": (2_000_000, 12_000_000),
    "hsa_GRCh37_chr20.fa.gz": (30_000_000, 40_000_000),
    "ebv_NC_007605.fa.gz": (0, 171_000),
}
N_CANDIDATES = 25_000
N_WINDOWS = 5_000
UNITS = ("A", "C", "G", "U", "GU", "GC", "AU", "GGU", "GUU", "UGU", "CAG", "CUG", "CCUG", "GGGGCC", "AUUUA", "GAAAC")


def deepmirgene() -> Iterator[str]:
    for path in sorted((find_data() / "deepmirgene" / "sequences").glob("*.fa")):
        yield from (record.sequence for record in read_sequences(path))


def precursors() -> Iterator[str]:
    folder = find_data() / "hairpins"
    with gzip.open(folder / "mirbase_v22.tsv.gz", "rt") as lines:
        yield from (row["pre_seq"] for row in csv.DictReader(lines, delimiter="\t"))
    yield from (record.sequence for record in read_sequences(folder / "mirgenedb_precursors.fa.gz"))


@cache
def _slice(name: str) -> np.ndarray:
    genome = open_genome(find_data() / "genomes" / name)
    return encode(genome.fetch(genome.contigs[0].name, *GENOMES[name]))


def candidates() -> Iterator[str]:
    """What a scan folds: hairpins of both strands, the same number of each genome."""
    for name in GENOMES:
        found = itertools.chain.from_iterable(
            _hairpins(strand) for strand in (_slice(name), reverse_complement(_slice(name)))
        )
        yield from itertools.islice(found, N_CANDIDATES)


def _hairpins(codes: np.ndarray) -> Iterator[str]:
    for start in range(0, len(codes), 500_000):
        text = decode(codes[start : start + 500_000])
        table = find_hairpins(text)
        for first, last in zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True):
            yield text[first:last]


def windows() -> Iterator[str]:
    rng = np.random.default_rng(1)
    for name in GENOMES:
        codes = _slice(name)
        for length in rng.integers(40, 201, N_WINDOWS):
            start = rng.integers(0, len(codes) - length)
            yield decode(codes[start : start + length])


def reversed_candidates() -> Iterator[str]:
    """Hairpins read backwards: their composition and pairs, but no stem that was selected for."""
    yield from (sequence[::-1] for sequence in itertools.islice(candidates(), N_CANDIDATES))


def _random(rng: np.random.Generator, length: int, gc: float) -> str:
    return "".join(rng.choice(list("ACGU"), length, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]))


def random_sequences() -> Iterator[str]:
    rng = np.random.default_rng(2)
    for gc in (0.2, 0.35, 0.5, 0.65, 0.8):
        yield from (_random(rng, length, gc) for length in rng.integers(1, 131, 8_000))


def adversarial() -> Iterator[str]:
    """Repeats of every length, palindromes plain and mutated, two stems side by side."""
    rng = np.random.default_rng(3)
    for unit, length in itertools.product(UNITS, range(1, MAX_LENGTH + 1, 3)):
        yield (unit * length)[:length]
    for length, gc in zip(rng.integers(4, 200, 4_000), rng.random(4_000), strict=True):
        arm = _random(rng, length // 2, gc)
        back = arm.translate(str.maketrans("ACGU", "UGCA"))[::-1]
        yield (arm + back, arm + "GAAA" + back, arm + arm + back + back, _mutated(rng, arm + "UUCG" + back))[length % 4]


def _mutated(rng: np.random.Generator, sequence: str) -> str:
    letters = np.array(list(sequence))
    hit = rng.random(len(letters)) < 0.1
    letters[hit] = rng.choice(list("ACGU"), hit.sum())
    return "".join(letters)


def long_sequences() -> Iterator[str]:
    rng = np.random.default_rng(4)
    yield from (_random(rng, length, gc) for length in rng.integers(150, MAX_LENGTH + 1, 500) for gc in (0.3, 0.5, 0.7))


SOURCES = {
    "adversarial": adversarial,
    "deepmirgene": deepmirgene,
    "precursors": precursors,
    "candidates": candidates,
    "windows": windows,
    "random": random_sequences,
    "long": long_sequences,
    "reversed": reversed_candidates,
}


def _chunks(source: str, size: int) -> Iterator[list[str]]:
    """The distinct sequences of a source that can be folded, in a fixed order."""
    distinct = dict.fromkeys(s for s in SOURCES[source]() if 0 < len(s) <= MAX_LENGTH)
    items = iter(distinct)
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def _rnafold(sequence: str) -> tuple[str, float]:
    structure, energy = RNA.fold(sequence)
    return structure, energy


Reference = Callable[[list[str]], Iterable[tuple[str, float]]]
"""RNA.fold of many."""


@contextmanager
def _reference(workers: int) -> Iterator[Reference]:
    if workers < 2:
        yield lambda sequences: map(_rnafold, sequences)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield lambda sequences: pool.map(_rnafold, sequences, chunksize=64)


def _compare(engine: str, reference: Reference, sequences: list[str], counts: dict, differences: list[dict]) -> None:
    """Add one chunk to the counts of its source; energies in steps of 0.01 kcal/mol."""
    folded = fold(sequences, engine=engine)
    rows = zip(sequences, folded.structures, folded.energies, reference(sequences), strict=True)
    for sequence, structure, energy, (expected, expected_energy) in rows:
        is_equal = round(100 * float(energy)) == round(100 * expected_energy)
        if structure == expected:
            has_energy = is_equal
        else:
            has_energy = round(100 * RNA.eval_structure_simple(sequence, structure)) == round(100 * float(energy))
        counts["sequences"] += 1
        counts["energies_equal"] += is_equal
        counts["structures_identical"] += structure == expected
        counts["structures_of_stated_energy"] += has_energy
        if not (is_equal and structure == expected) and len(differences) < MOST_EXAMPLES:
            differences.append(
                {"sequence": sequence, "rnafold": [expected, expected_energy], engine: [structure, float(energy)]}
            )


def _start(engine: Engine, *, is_fresh: bool) -> dict:
    """The state so far, if it belongs to this code."""
    columns = ("chunks", "sequences", "energies_equal", "structures_identical", "structures_of_stated_energy")
    sources = {source: dict.fromkeys(columns, 0) | {"is_complete": False} for source in SOURCES}
    if engine.result.exists() and not is_fresh:
        state = json.loads(engine.result.read_text())
        if state["code"] == engine.code:
            kept = {key: state[key] for key in ("command", "code", "differences")}
            return kept | {"sources": sources | state["sources"]}
    return {"command": engine.command, "code": engine.code, "sources": sources, "differences": []}


def _with_totals(state: dict) -> dict:
    counts = state["sources"].values()
    n = sum(c["sequences"] for c in counts)
    totals = {
        "is_complete": all(c["is_complete"] for c in counts),
        "n_sequences": n,
        "n_energies_different": n - sum(c["energies_equal"] for c in counts),
        "n_structures_different": n - sum(c["structures_identical"] for c in counts),
        "share_structures_identical": sum(c["structures_identical"] for c in counts) / max(n, 1),
        "n_structures_not_of_stated_energy": n - sum(c["structures_of_stated_energy"] for c in counts),
    }
    return {"command": state["command"]} | totals | state


def _write(engine: Engine, state: dict) -> dict:
    """Replace the result file in one step, so that an interrupted run leaves a whole one."""
    report = _with_totals(state)
    os.replace(write_result(f".fold_equality.{os.getpid()}", report), engine.result)
    return report


def check(engine: Engine, *, limit: int | None, is_fresh: bool) -> dict:
    """Compare up to ``limit`` sequences of each source, going on from an earlier run."""
    state = _start(engine, is_fresh=is_fresh)
    with _reference(engine.workers) as reference:
        for source, counts in state["sources"].items():
            if not counts["is_complete"]:
                _check_source(engine, reference, source, state, limit)
    return _write(engine, state)


def _check_source(engine: Engine, reference: Reference, source: str, state: dict, limit: int | None) -> None:
    counts = state["sources"][source]
    for sequences in itertools.islice(_chunks(source, CHUNKS[engine.name]), counts["chunks"], None):
        if limit is not None and counts["sequences"] >= limit:
            return
        _compare(engine.name, reference, sequences, counts, state["differences"])
        counts["chunks"] += 1
        _write(engine, state)
    counts["is_complete"] = True


_CODE_OF = """
import sys
sys.path.insert(0, sys.argv[1])
from check_fold import CODE
print(*CODE)
"""
_DIGESTS_OF = """
import hashlib, json, sys
from mirsweep.scanner import fold
for line in sys.stdin:
    folded = fold(json.loads(line), engine="batch")
    answers = list(folded.structures), [round(100 * float(energy)) for energy in folded.energies]
    print(hashlib.sha256(json.dumps(answers).encode()).hexdigest(), flush=True)
"""


def _lines(python: str, program: str, *arguments: str) -> subprocess.Popen[str]:
    """A process of this or another environment that answers lines with lines."""
    command = [python, "-P", "-c", program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def check_same(engine: Engine, other: str) -> dict:
    """The figures of another environment's code as those of this one, if both fold every sequence alike."""
    state = json.loads(engine.result.read_text())
    root = _root_of(other)
    with _lines(other, _CODE_OF, str(root / "benchmarks")) as process:
        code = _digest(root, _ask(process, "").split())
    if not state["is_complete"] or state["code"] != code:
        raise SystemExit(f"{engine.result}: not the whole figures of the code of {root}; check out what they are of.")
    n, n_different = 0, 0
    with _lines(sys.executable, _DIGESTS_OF) as own, _lines(other, _DIGESTS_OF) as others:
        for sequences in itertools.chain.from_iterable(_chunks(source, CHUNKS["batch"]) for source in SOURCES):
            line = json.dumps(sequences)
            n += len(sequences)
            n_different += _ask(own, line) != _ask(others, line)
    if n_different:
        raise SystemExit(f"{n_different} chunks of {n} sequences are folded otherwise than by {root}.")
    same = {"code": code, "commit": state["commit"], "machine": state["machine"], "n_sequences": n, "n_different": 0}
    return _write(engine, state | {"code": engine.code, "same_as": same})


def _root_of(python: str) -> Path:
    """Folder of the checkout whose package an environment has."""
    program = "import mirsweep.scanner; print(mirsweep.scanner.__file__)"
    found = subprocess.run([python, "-P", "-c", program], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()).parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--limit", type=int, help="stop each source after about so many sequences")
    parser.add_argument("--fresh", action="store_true", help="start over")
    parser.add_argument("--fold-engine", default="batch", choices=tuple(CHUNKS))
    parser.add_argument("--workers", type=int, default=1, help="processes of RNA.fold")
    parser.add_argument("--same-as", metavar="PYTHON", help="environment of the code that the figures are of")
    options = parser.parse_args()
    if options.same_as and options.fold_engine != "batch":
        parser.error("--same-as compares the batched folder only")
    engine = Engine(options.fold_engine, options.workers)
    try:
        if options.same_as:
            report = check_same(engine, options.same_as)
        else:
            report = check(engine, limit=options.limit, is_fresh=options.fresh)
    except InputError as error:
        raise SystemExit(str(error)) from None
    is_equal = not (report["n_energies_different"] or report["n_structures_not_of_stated_energy"])
    if options.json:
        print(json.dumps(report, indent=2))
        return int(not is_equal)
    for source, counts in report["sources"].items():
        print(f"{source:12} {counts['sequences']:7} folded, {counts['energies_equal']:7} energies equal, "
              f"{counts['structures_identical']:7} structures identical")  # fmt: skip
    print(
        f"{report['n_sequences']} sequences: {report['n_energies_different']} energies differ, "
        f"{report['n_structures_different']} structures differ"
    )
    return int(not is_equal)


if __name__ == "__main__":
    sys.exit(main())
