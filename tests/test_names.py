"""Names that a user may have meant."""

import pytest

from mirsweep.jobs.results.names import did_you_mean, nearest_names

HUMAN = dict.fromkeys([*(f"chr{i}" for i in range(1, 23)), "chrX", "chrY", "chrM", "chrUn_GL000220v1"], 1)
ENSEMBL = dict.fromkeys([*map(str, range(1, 23)), "X", "Y", "MT"], 1)


@pytest.mark.parametrize(
    ("name", "known", "first"),
    [
        ("1", HUMAN, "chr1"),
        ("X", HUMAN, "chrX"),
        ("chr7", ENSEMBL, "7"),
        ("chrX", ENSEMBL, "X"),
        ("chrM", ENSEMBL, "MT"),
        ("MT", HUMAN, "chrM"),
        ("CHR12", HUMAN, "chr12"),
        ("chrx", HUMAN, "chrX"),
        ("x", HUMAN, "chrX"),
        ("chrUn_GL00220v1", HUMAN, "chrUn_GL000220v1"),
        ("NC_000001", {"NC_000001.11": 1, "NC_000002.12": 1}, "NC_000001.11"),
        ("NC_000001.10", {"NC_000002.12": 1, "NC_000001.11": 1}, "NC_000001.11"),
        ("scafold_12", {"scaffold_12": 1, "scaffold_99": 1}, "scaffold_12"),
    ],
)
def test_the_likeliest_comes_first(name, known, first):
    assert nearest_names(name, known)[0] == first
    assert f"did you mean '{first}'" in did_you_mean(name, known)


def test_nothing_alike_names_some_that_there_are():
    assert did_you_mean("plasmid", ENSEMBL) == "it has '1', '2', '3' and others."
    assert did_you_mean("plasmid", {"I": 1}) == "it has 'I'."
    assert nearest_names("plasmid", ENSEMBL) == []


def test_names_are_found_in_a_genome_of_many_contigs():
    known = {f"scaffold_{i}": 1 for i in range(500_000)} | {"chr7": 1}
    assert nearest_names("7", known)[0] == "chr7"
    assert nearest_names("scaffold_41x", known)
