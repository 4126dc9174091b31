"""Negatives from a finished scan: far from known precursors, the hardest first, and examples that can be read again."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers_jobs import scan
from helpers_training import GENOME, KNOWN, make_genome_model, with_a_locus_beyond_the_end, with_other_contigs
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.compare import match
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.known import read_known
from mirsweep.jobs.results.overlap import NEAR_NT
from mirsweep.jobs.training.examples import MINED_SCHEMA, examples_of, read_examples, scanned_mb_of
from mirsweep.jobs.training.mine import mine
from mirsweep.scanner.errors import InputError


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    scan([GENOME], output=folder / "out", model=make_genome_model(folder / "untrained.safetensors"), quiet=True)
    return folder / "out"


def test_all_negatives_lie_far_from_known_precursors(scanned, tmp_path):
    mined = mine(scanned, [KNOWN], path=tmp_path / "n.parquet")
    table = pq.read_table(tmp_path / "n.parquet")
    assert table.schema == MINED_SCHEMA
    everything = open_output(scanned).dataset().to_table(columns=["start", "end"])
    loci = read_known(KNOWN)
    starts, ends = (everything[name].to_numpy() for name in ("start", "end"))
    n_far = sum(
        all(end + NEAR_NT <= x.start or start - NEAR_NT >= x.end for x in loci)
        for start, end in zip(starts, ends, strict=True)
    )
    assert mined.n_rows == table.num_rows == n_far
    assert mined.n_near == mined.n_candidates - n_far
    assert not any(table["label"].to_pylist())
    assert not len(match(table, loci))


def test_hardest_come_first_and_a_seed_repeats_the_choice(scanned, tmp_path):
    for name in ("a", "b"):
        mine(scanned, [KNOWN], path=tmp_path / name, hardest=100, random=50, seed=7)
    first = pq.read_table(tmp_path / "a")
    assert first.num_rows == 150
    assert first.equals(pq.read_table(tmp_path / "b"))
    mine(scanned, [KNOWN], path=tmp_path / "all")
    best = np.sort(pq.read_table(tmp_path / "all")["score"].to_numpy())[-100]
    assert (first["score"].to_numpy() >= best).sum() >= 100


def test_a_file_of_all_negatives_says_how_much_genome_it_is_of(scanned, tmp_path):
    mine(scanned, [KNOWN], path=tmp_path / "all")
    mine(scanned, [KNOWN], path=tmp_path / "some", hardest=10)
    run = open_output(scanned).run
    assert scanned_mb_of(pq.read_table(tmp_path / "all")) == run["counts"]["n_scanned"] / 1e6
    assert scanned_mb_of(pq.read_table(tmp_path / "some")) is None


def test_a_region_holds_what_starts_in_it(scanned, tmp_path):
    contig = read_known(KNOWN)[0].contig
    mine(scanned, [KNOWN], path=tmp_path / "r", region=f"{contig}:100,001-200,000")
    starts = pq.read_table(tmp_path / "r")["start"].to_numpy()
    assert starts.min() >= 100_000
    assert starts.max() < 200_000


def test_bad_input_of_mining_is_named(scanned, tmp_path):
    with pytest.raises(InputError, match="no candidate is left"):
        mine(scanned, [KNOWN], path=tmp_path / "x", region="elsewhere")
    assert not (tmp_path / "x").exists()
    assert main(["mine", str(tmp_path), "--known", str(KNOWN), "-o", str(tmp_path / "x")]) == 2
    mine(scanned, [KNOWN], path=tmp_path / "n.parquet", hardest=5)
    with pytest.raises(InputError, match=r"not pre-miRNAs; give it with --negatives"):
        list(read_examples([tmp_path / "n.parquet"], label=True))
    assert len(examples_of(next(read_examples([tmp_path / "n.parquet"], label=False)))) == 5


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        (with_other_contigs, "none of its contigs (elsewhere) is in the scan"),
        (with_a_locus_beyond_the_end, "too-far ends at 1800050 of contig chrX_1208000_3008000, which has 1800000 nt"),
    ],
)
@pytest.mark.parametrize("command", ["mine", "compare"])
def test_annotation_of_another_genome_is_refused(scanned, tmp_path, capsys, command, annotation, sentence):
    bad = annotation(tmp_path / "bad.gff3")
    asked = [scanned, bad] if command == "compare" else [scanned, "--known", bad, "-o", tmp_path / "n.parquet"]
    assert main([command, *map(str, asked)]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "n.parquet").exists()


def test_one_annotation_that_fits_does_not_excuse_another(scanned, tmp_path):
    with pytest.raises(InputError, match=r"bad\.gff3: none of its contigs"):
        mine(scanned, [KNOWN, with_other_contigs(tmp_path / "bad.gff3")], path=tmp_path / "n.parquet")
