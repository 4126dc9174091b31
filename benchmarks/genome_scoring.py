"""Scoring by the genome model: torch's tensors on a device beside the compiled loops of the CPU, on real candidates.

What ``bench_score.py --model genome`` measures: hairpins a second of both, where the time goes, and whether they agree.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.profiler import profile

from harness import find_data
from mirsweep.jobs.demo.demo import DATA
from mirsweep.model import Arms, Prediction
from mirsweep.model.columns_on_device import lay_out, send, to_device
from mirsweep.model.genome_config import TwoStageConfig
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_on_cpu import OnCpu
from mirsweep.model.genome_on_device import OnDevice
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.stem import HairpinTexts, Library
from mirsweep.model.weights_file import genome_weights_of, read_weights_file
from mirsweep.scanner import Genome, open_genome
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.scan import TileBases, scan_tiles
from mirsweep.texts import Texts

TILE_NT = 1_000_000
N_COMPARED = 100_000
"""Hairpins at most whose scores are compared: the loops score some thousands a second."""
N_SHUFFLED = 5_000
CALLS = (4096, 16_384, 32_768, 65_536)
"""Hairpins of a call: 32,768 are what an actor gets."""
TOLERANCE = 1e-4
N_OPERATIONS = 12
_ENDS = ("mature_start", "mature_end", "star_start", "star_end", "is_5p")


def default_genome() -> Path:
    """C. elegans X where the public data sets are, else the slice of it that comes with mirsweep."""
    try:
        found = find_data() / "genomes" / "cel_ce2_chrX.fa.gz"
    except SystemExit:
        return DATA / "slice.fa.gz"
    return found if found.is_file() else DATA / "slice.fa.gz"


def candidates(path: Path, n: int) -> HairpinTexts:
    """The first n hairpins that a scan of a genome scores, again from the first one where it has fewer."""
    tables, n_found = [], 0
    genome = open_genome(path)
    for tile in _tiles(genome):
        tables.append(scan_tiles([tile], params=ScanParams()).table)
        n_found += tables[-1].num_rows
        if n_found >= n:
            break
    found = pa.concat_tables(tables * -(-n // max(1, n_found))).slice(0, n)
    return HairpinTexts(*(Texts.from_arrow(found[x]) for x in ("sequence", "structure", "flank_5p", "flank_3p")))


def _tiles(genome: Genome) -> Iterator[TileBases]:
    for contig in genome.contigs:
        for start in range(0, contig.length, TILE_NT):
            end = min(contig.length, start + TILE_NT)
            yield TileBases(genome.fetch(contig.name, start, end), start, start, end)


def _clock(device: str) -> Callable[[], float]:
    """Seconds: on a CPU those of the process, which other work on the machine disturbs less."""
    return time.perf_counter if device == "cuda" else time.process_time


class _Watch:
    """Seconds by part, the device's work included."""

    def __init__(self, device: str):
        self.seconds: Counter[str] = Counter()
        self._device, self._clock = device, _clock(device)

    def time(self, part: str, work: Callable[[], Any]) -> Any:
        began = self._clock()
        found = work()
        if self._device == "cuda":
            torch.cuda.synchronize()
        self.seconds[part] += self._clock() - began
        return found


def seconds_by_part(weights: GenomeWeights, texts: HairpinTexts, *, device: str, as_tensors: bool) -> dict[str, float]:
    """Where the time goes, each part by itself; what the host does besides is in none of them."""
    words_of = weights.members[0].arrays["words"].astype(np.int64)
    library = Library(words_of, np.zeros(len(words_of), np.int32))
    platform: Any = OnDevice(library, device) if as_tensors else OnCpu(library)
    words = to_device(library.words.astype(np.int32), device)
    config = weights.config
    assert isinstance(config, TwoStageConfig)
    assert weights.sieve is not None
    sieve, (first, *others) = platform.network(weights.sieve), map(platform.network, weights.members)
    watch = _Watch(device)
    for part in platform.parts(texts):
        some = texts.part(part)
        if as_tensors:
            with torch.inference_mode():
                sent = watch.time("transfer", lambda some=some: send(some, device))
                stems = watch.time("lay_out", lambda sent=sent: lay_out(sent, words))
        else:
            stems = watch.time("lay_out", lambda some=some: platform.lay_out(some))
        logits = watch.time("sieve", lambda stems=stems: sieve.logits(stems))
        passed = stems.take(np.flatnonzero(logits > config.read_from))
        own, _ = watch.time("read", lambda passed=passed: first.read(passed))
        watch.time("first", lambda passed=passed: first.logits(passed))
        likely = passed.take(np.flatnonzero(own > config.rescored_from))
        watch.time("second", lambda likely=likely: [net.logits(likely) for net in others])
    read = watch.seconds.pop("read")
    return dict(watch.seconds) | {"arms": max(0.0, read - watch.seconds["first"])}


def _rate(model: GenomeModel, texts: HairpinTexts, *, n_a_call: int, repeats: int) -> float:
    """Hairpins a second, the best of some rounds, in calls of so many."""
    n = len(texts.sequences)
    calls = [texts.part(slice(k, min(n, k + n_a_call))) for k in range(0, n, n_a_call)]
    clock, seconds = _clock(model.device), []
    for _ in range(repeats):
        began = clock()
        for call in calls:
            model.predict(*call)
        seconds.append(clock() - began)
    return n / min(seconds)


def agreement(found: Prediction, expected: Prediction) -> dict[str, Any]:
    """How far scores and mature sequences of the same hairpins differ."""
    difference = np.abs(found.scores.astype(float) - expected.scores)
    assert found.arms is not None
    assert expected.arms is not None
    different = np.zeros(len(difference), bool)
    for name in _ENDS:
        different |= getattr(found.arms, name) != getattr(expected.arms, name)
    return {
        "n_hairpins": len(difference),
        "n_with_mature": int((expected.arms.mature_start >= 0).sum()),
        "largest_difference": float(difference.max(initial=0)),
        "n_beyond_tolerance": int((difference > TOLERANCE).sum()),
        "n_other_mature": int(different.sum()),
    }


def costliest(model: GenomeModel, texts: HairpinTexts, device: str) -> dict[str, float]:
    """Operations that take longest, ms, on the device."""
    with profile() as profiled:
        model.predict(*texts)
    of = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    rows = sorted(profiled.key_averages(), key=lambda row: -getattr(row, of))
    return {row.key: round(getattr(row, of) / 1000, 1) for row in rows[:N_OPERATIONS]}


def measure(genome: Path, *, n: int, device: str) -> dict[str, Any]:
    """Rates, parts and agreement, of n candidates of a genome."""
    file = read_weights_file("genome")
    weights = genome_weights_of(file)
    assert weights is not None
    loops = GenomeModel(weights, file.card)
    tensors = GenomeModel(weights, file.card, device=device, as_tensors=True)
    on = tensors.device
    texts = candidates(genome, n)
    few = texts.part(slice(0, min(n, N_COMPARED)))
    for model in (loops, tensors):
        model.predict(*texts.part(slice(0, 4096)))  # what is compiled or chosen at the first call
    repeats = 3 if on == "cuda" else 1
    if on == "cuda":
        torch.cuda.reset_peak_memory_stats()
    rates = {size: _rate(tensors, texts, n_a_call=size, repeats=repeats) for size in CALLS if size <= max(n, CALLS[0])}
    memory = torch.cuda.max_memory_allocated() if on == "cuda" else None
    expected, found = loops.predict(*few), tensors.predict(*few)
    order = np.random.default_rng(0).permutation(len(few.sequences))[:N_SHUFFLED]
    shuffled = tensors.predict(*(Texts.take(column, order) for column in few))
    return {
        "genome": genome.name,
        "n_hairpins": n,
        "mean_nt": round(float(texts.sequences.lengths.mean()), 1),
        "seconds": "elapsed" if on == "cuda" else "of the CPU",
        "device": torch.cuda.get_device_name() if on == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "loops_hairpins_per_s": round(_rate(loops, few, n_a_call=4096, repeats=repeats)),
        "tensors_hairpins_per_s_by_call": {str(size): round(rate) for size, rate in rates.items()},
        "device_memory_mb": None if memory is None else round(memory / 1e6),
        "microseconds_a_hairpin": {
            "tensors": _per_hairpin(seconds_by_part(weights, texts, device=on, as_tensors=True), n),
            "loops": _per_hairpin(seconds_by_part(weights, few, device="cpu", as_tensors=False), len(few.sequences)),
        },
        "agreement_with_loops": agreement(found, expected),
        "agreement_with_other_batches": agreement(shuffled, _rows(found, order)),
        "costliest_operations_ms": costliest(tensors, texts.part(slice(0, 65_536)), on),
    }


def _per_hairpin(seconds: dict[str, float], n: int) -> dict[str, float]:
    return {part: round(1e6 * each / n, 3) for part, each in seconds.items()}


def _rows(prediction: Prediction, rows: np.ndarray) -> Prediction:
    assert prediction.arms is not None
    arms = Arms(*(column[rows] for column in prediction.arms))
    return prediction._replace(scores=prediction.scores[rows], arms=arms)


def show(figures: dict[str, Any]) -> str:
    """The figures in lines."""
    agreed, batches = figures["agreement_with_loops"], figures["agreement_with_other_batches"]
    lines = [
        f"{figures['n_hairpins']} candidates of {figures['genome']}, {figures['mean_nt']} nt on average",
        f"tensors on {figures['device']}, hairpins/s by call: {figures['tensors_hairpins_per_s_by_call']}",
        f"loops on one core, hairpins/s: {figures['loops_hairpins_per_s']}",
        *(f"microseconds, {who}: {parts}" for who, parts in figures["microseconds_a_hairpin"].items()),
        f"beside the loops: scores differ by {agreed['largest_difference']:.1e}, {agreed['n_beyond_tolerance']} "
        f"of {agreed['n_hairpins']} by more than {TOLERANCE}; {agreed['n_other_mature']} of "
        f"{agreed['n_with_mature']} have other mature sequences",
        f"in another batch: scores differ by {batches['largest_difference']:.1e}, {batches['n_other_mature']} "
        "have other mature sequences",
    ]
    return "\n".join(lines)
