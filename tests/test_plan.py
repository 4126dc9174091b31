"""Shards: every base once, about equal, with ids that follow from what is asked."""

from dataclasses import replace
from itertools import groupby, pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.jobs.scanning.shards import MAX_PIECES, GenomeKey, RunKey, check_genomes, make_shards
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.params import ScanParams


class Contig(NamedTuple):
    name: str
    length: int


class Genome(NamedTuple):
    name: str
    digest: str
    contigs: tuple[Contig, ...]


def genome_of(lengths: list[int], name: str = "g", digest: str = "d") -> Genome:
    return Genome(name, digest, tuple(Contig(f"{name}{i}", n) for i, n in enumerate(lengths)))


def key_of(genome: Genome, **changes) -> RunKey:
    key = RunKey((GenomeKey(genome.name, genome.digest),), ScanParams(), "m:1", "11", shard_nt=1000)
    return replace(key, **changes)


LENGTHS = st.lists(st.integers(0, 400), min_size=1, max_size=15)


@given(LENGTHS, st.integers(1, 500))
def test_every_base_is_in_one_piece(lengths, shard_nt):
    genome = genome_of(lengths)
    pieces = [p for s in make_shards([genome], key_of(genome, shard_nt=shard_nt)) for p in s.pieces]
    covered = {contig: [(p.start, p.end) for p in group] for contig, group in groupby(pieces, lambda p: p.contig)}
    for contig in genome.contigs:
        position = 0
        for start, end in covered.pop(contig.name, []):
            assert start == position < end
            position = end
        assert position == contig.length
    assert not covered


@given(LENGTHS, st.integers(1, 500))
def test_shards_are_bounded_and_half_full(lengths, shard_nt):
    genome = genome_of(lengths)
    sizes = [s.n_bases for s in make_shards([genome], key_of(genome, shard_nt=shard_nt))]
    assert all(0 < size <= shard_nt + shard_nt // 50 for size in sizes)
    assert all(one + other > shard_nt // 2 for one, other in pairwise(sizes))


def test_small_contigs_share_a_shard():
    genome = genome_of([100] * 25)
    assert [len(s.pieces) for s in make_shards([genome], key_of(genome))] == [10, 10, 5]


def test_a_shard_has_a_bounded_number_of_contigs():
    genome = genome_of([1] * (2 * MAX_PIECES + 1))
    shards = make_shards([genome], key_of(genome, shard_nt=10**6))
    assert [len(s.pieces) for s in shards] == [MAX_PIECES, MAX_PIECES, 1]


def test_ids_are_stable_distinct_and_sorted_by_place():
    genome = genome_of([50_000, 10, 20, 3000])
    shards, again = (make_shards([genome], key_of(genome)) for _ in range(2))
    ids = [s.id for s in shards]
    assert shards == again
    assert len(set(ids)) == len(ids) == 53
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    "changes",
    [
        {"params": ScanParams(threshold=-3)},
        {"params": ScanParams(strand="+")},
        {"model_digest": "22"},
        {"genomes": (GenomeKey("g", "e"),)},
        {"genomes": (GenomeKey("h", "d"),)},
        {"shard_nt": 1001},
        {"versions": (("mirsweep", "0.0.1"),)},
    ],
    ids=str,
)
def test_ids_follow_what_is_asked(changes):
    genome = genome_of([5000])
    before, after = ({s.id for s in make_shards([genome], key)} for key in (key_of(genome), key_of(genome, **changes)))
    assert not before & after


def test_contigs_of_two_genomes_may_be_called_the_same():
    one, other = genome_of([5], "a"), Genome("b", "d", (Contig("a0", 7),))
    check_genomes([one, other])
    (shard,) = make_shards([one, other], key_of(one))
    assert [(piece.genome, piece.contig) for piece in shard.pieces] == [("a", "a0"), ("b", "a0")]


def test_two_genomes_of_one_name_are_refused():
    with pytest.raises(InputError, match="two genomes are named 'a'"):
        check_genomes([genome_of([5], "a"), Genome("a", "d", (Contig("x", 7),))])


def test_a_width_of_nothing_is_refused():
    with pytest.raises(InputError, match="--shard-nt"):
        key_of(genome_of([5]), shard_nt=0)
