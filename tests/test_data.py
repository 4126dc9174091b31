"""Splits, repeats and shared stretches of labelled sets."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.model.data import Dataset, deduplicate, is_known, pool, shares_kmer
from mirsweep.model.errors import ModelError
from mirsweep.scanner.fasta import read_sequences

rna = st.text("ACGU", max_size=12)
labelled = st.lists(st.tuples(rna, st.integers(0, 1)), max_size=25)


def dataset(pairs) -> Dataset:
    return Dataset([s for s, _ in pairs], ["." * len(s) for s, _ in pairs], np.array([y for _, y in pairs], int))


def kmers(sequence: str, k: int) -> set[str]:
    return {sequence[i : i + k] for i in range(len(sequence) - k + 1)}


def test_sequences_are_kept_as_upper_case_rna():
    data = Dataset(["acgt"], ["...."], [1])
    assert data.sequences == ["ACGU"]
    assert data.labels.dtype == np.uint8
    assert (data.n_pos, data.n_neg, len(data)) == (1, 0, 1)


@given(labelled, labelled, st.integers(1, 5))
@settings(deadline=None)
def test_shared_kmers_equal_sets_of_strings_within_the_class(pairs, others, k):
    expected = [any(kmers(s, k) & kmers(other, k) for other, label in others if label == y) for s, y in pairs]
    assert shares_kmer(dataset(pairs), dataset(others), k=k).tolist() == expected


def test_shared_kmer_of_the_other_class_does_not_count():
    stretch = "ACGUACGUGGAACCUUACGUACGA"
    ours, theirs = dataset([(stretch + "A", 1), (stretch + "C", 0)]), dataset([("G" + stretch, 1)])
    assert shares_kmer(ours, theirs, k=24).tolist() == [True, False]
    assert shares_kmer(ours, theirs, k=25).tolist() == [False, False]


@given(labelled)
def test_deduplicate_keeps_first_occurrences_of_one_label(pairs):
    result = deduplicate(dataset(pairs))
    labels_of = {s: {y for t, y in pairs if t == s} for s, _ in pairs}
    expected = [s for s in dict.fromkeys(s for s, _ in pairs) if len(labels_of[s]) == 1]
    assert result.dataset.sequences == expected
    assert all(labels_of[s] == {y} for s, y in zip(expected, result.dataset.labels, strict=True))
    assert sorted(result.conflicts) == sorted(s for s, labels in labels_of.items() if len(labels) == 2)
    n_conflicting = sum(len(labels_of[s]) == 2 for s, _ in pairs)
    assert result.n_repeats == len(pairs) - n_conflicting - len(expected)


def test_known_whatever_the_label():
    assert is_known(dataset([("ACG", 1), ("AAA", 0)]), dataset([("AAA", 1)])).tolist() == [False, True]


def test_take_by_mask_and_by_index():
    data = dataset([("A", 1), ("C", 0), ("G", 1)])
    assert data.take(np.array([True, False, True])).sequences == ["A", "G"]
    assert data.take([2, 0]).sequences == ["G", "A"]
    assert len(data.take([])) == 0


@pytest.mark.parametrize("arguments", [(["A"], [], [1]), (["A"], ["."], [2]), (["A"], ["."], [])])
def test_bad_sets_are_refused(arguments):
    with pytest.raises(ModelError):
        Dataset(*arguments)


@pytest.mark.parametrize("k", [0, 32])
def test_bad_stretches_are_refused(k):
    with pytest.raises(ModelError, match="1 to 31"):
        shares_kmer(dataset([("A", 1)]), dataset([("A", 1)]), k=k)


def read(path: Path) -> Dataset:
    """A benchmark set, unfolded; ``path`` has ``{}`` for pos and neg."""
    by_class = [[r.sequence for r in read_sequences(Path(str(path).format(kind)))] for kind in ("pos", "neg")]
    sequences = by_class[0] + by_class[1]
    return Dataset(sequences, ["." * len(s) for s in sequences], [1] * len(by_class[0]) + [0] * len(by_class[1]))


@pytest.mark.data
def test_traps_of_the_papers_benchmark(data_dir):
    """What the benchmark's sets share, as counted independently when the data were gathered."""
    folder = data_dir / "deepmirgene"
    whole, new = read(folder / "sequences/whole_{}.fa"), read(folder / "sequences/new_{}.fa")
    part, test = read(folder / "cv/whole/whole_{}_all.fa"), read(folder / "test/whole/whole_{}_test.fa")
    assert len(deduplicate(whole).conflicts) == 23
    positives = whole.take(whole.labels == 1)
    assert is_known(new.take(new.labels == 0), positives).sum() == 36
    assert (shares_kmer(test, part) & (test.labels == 1)).sum() == 47


@pytest.mark.data
def test_the_90_percent_and_the_test_make_up_the_whole(data_dir):
    folder = data_dir / "deepmirgene"
    whole = read(folder / "sequences/whole_{}.fa")
    part, test = read(folder / "cv/whole/whole_{}_all.fa"), read(folder / "test/whole/whole_{}_test.fa")
    both = pool(part, test)
    assert sorted(zip(both.sequences, both.labels, strict=True)) == sorted(
        zip(whole.sequences, whole.labels, strict=True)
    )
    for label in (0, 1):
        assert not is_known(test.take(test.labels == label), part.take(part.labels == label)).any()
