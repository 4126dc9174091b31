import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.jobs.training.examples import EXAMPLE_SCHEMA
from mirsweep.jobs.training.own_places import Place, find_places
from mirsweep.jobs.training.plant import plant_examples
from mirsweep.jobs.training.precursors import (
    Exclusion,
    Precursor,
    confidence,
    equivalent_families,
    family_of,
    read_precursors,
    without_antisense,
)
from mirsweep.jobs.training.repeats import inverted_repeats, tandem_repeats
from mirsweep.scanner import fold
from mirsweep.scanner.alphabet import BREAK, reverse_complement
from mirsweep.scanner.errors import InputError

LET7 = "UGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUA"
MIR1 = "GCUUGGGACACAUACUUCUUUAUAUGCCCAUAUGAACCUGCUAAGCUAUGGAAUGUAAAGAAGUAUGUAUUUCAGGC"


def precursor(name: str, sequence: str, **facts) -> Precursor:
    given = {"kingdom": "animal", "core": None, "arms": (-1, -1, -1, -1), "source": "miRBase"} | facts
    return Precursor(name, name.split("-")[0].lower(), family_of(name), sequence=sequence, **given)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    letters = "".join(np.random.default_rng(3).choice(list("ACGT"), 40_000, p=[0.32, 0.18, 0.18, 0.32]))
    path.write_text(f">c1\n{letters[:20_000]}{'N' * 500}{letters[20_000:]}\n")
    return path


def test_families_are_read_from_both_styles_of_name():
    assert family_of("hsa-mir-125b-1") == family_of("Hsa-Mir-125-P2") == "mir125"
    assert family_of("cel-let-7") == family_of("Cel-Let-7-P5") == "let7"
    assert family_of("ath-MIR156a") == "mir156"


def test_names_without_a_number_are_families_of_their_own():
    assert family_of("ebv-mir-BART1") != family_of("ebv-mir-BHRF1-1")
    assert family_of("osa-MIRf10003-akr") != family_of("osa-MIRf10019-akr")
    assert family_of("dme-bantam") == family_of("aae-bantam")


def test_what_is_inserted_is_found_and_folded_as_a_scan_does(genome):
    known = [precursor("hsa-let-7a-1", LET7, arms=(5, 27, 56, 77)), precursor("hsa-mir-1-1", MIR1)]
    planted = plant_examples(known, [genome], seed=1)
    table = planted.positives
    assert table.schema == EXAMPLE_SCHEMA
    assert planted.n_found == 2
    for row in table.to_pylist():
        folded = fold([row["sequence"]])
        assert row["structure"] == folded.structures[0]
        assert len(row["flank_5p"]) == len(row["flank_3p"]) == 24
        assert row["label"]
    row = table.to_pylist()[0]
    assert row["sequence"][row["mature5_start"] : row["mature5_end"]] == LET7[5:27]
    assert row["sequence"][row["mature3_start"] : row["mature3_end"]] == LET7[56:77]
    assert plant_examples(known, [genome], seed=1).positives.equals(table)


def test_all_candidates_that_recover_a_precursor_share_its_weight(genome):
    known = [precursor("hsa-let-7a-1", "ACACUGUGGGAU" + LET7 + "AUCCCACAGUGU"), precursor("hsa-mir-1-1", MIR1)]
    table = plant_examples(known, [genome], seed=1).positives
    of_family = table.group_by("family").aggregate([("weight", "sum"), ("weight", "count")]).to_pylist()
    shared = {row["family"]: row["weight_sum"] for row in of_family}
    np.testing.assert_allclose([shared["let7"], shared["mir1"]], confidence(known), rtol=1e-6)
    assert sum(row["weight_count"] for row in of_family) > len(known)


def test_the_other_strand_is_a_negative_unless_it_is_known_too(genome):
    opposite = "".join({"A": "U", "U": "A", "C": "G", "G": "C"}[base] for base in reversed(LET7))
    alone = plant_examples([precursor("hsa-let-7a-1", LET7)], [genome], seed=1).antisense
    assert alone.num_rows
    assert not any(alone["label"].to_pylist())
    assert all(sequence[10:40] in opposite or opposite[10:40] in sequence for sequence in alone["sequence"].to_pylist())
    both = [precursor("hsa-let-7a-1", LET7), precursor("hsa-mir-99999", opposite)]
    assert not plant_examples(both, [genome], seed=1).antisense.num_rows


def test_a_mirgenedb_record_gets_a_basal_stem(genome):
    whole = precursor("hsa-let-7a-1", "ACACUGUGGGAU" + LET7 + "AUCCCACAGUGU", core=(12, 12 + len(LET7)))
    inner = precursor("Xxx-Mir-1_pre", MIR1[8:-8], core=(0, len(MIR1) - 16), source="MirGeneDB")
    row = plant_examples([whole, inner], [genome], seed=0).positives.to_pylist()[-1]
    assert "ACACUGUGGGAU"[-5:] in row["sequence"] or row["sequence"].startswith(MIR1[8:])
    assert len(row["sequence"]) > len(MIR1) - 16


@given(st.integers(0, 2**31), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_places_are_those_that_a_plain_search_finds(seed, n_contigs):
    rng = np.random.default_rng(seed)
    contigs = [rng.choice(5, rng.integers(0, 300), p=[0.245] * 4 + [0.02]).astype(np.uint8) for _ in range(n_contigs)]
    pieces = [rng.integers(0, 4, rng.integers(1, 60)).astype(np.uint8) for _ in range(3)]
    for codes in [codes for codes in contigs if codes.size > 70]:
        start, length = rng.integers(0, codes.size - 60), rng.integers(10, 60)
        own = codes[start : start + length]
        pieces += [own, reverse_complement(own), own[:-1]]
        if not (own == BREAK).any():
            contigs.append(np.concatenate([codes, own]))
    pieces = [piece for piece in pieces if not (piece == BREAK).any()]

    def plain(piece: np.ndarray) -> Place | None:
        texts = [(piece.tobytes(), True), (reverse_complement(piece).tobytes(), False)]
        found = [
            Place(k, at, at + piece.size, is_forward)
            for k, codes in enumerate(contigs)
            for text, is_forward in texts
            for at in range(codes.size)
            if piece.size >= 24 and codes[at : at + piece.size].tobytes() == text
        ]
        return min(found, key=lambda place: (place[:2], not place.is_forward), default=None)

    assert find_places(pieces, contigs) == [plain(piece) for piece in pieces]


def test_places_do_not_depend_on_blocks(monkeypatch):
    rng = np.random.default_rng(4)
    contigs = [rng.integers(0, 4, 500).astype(np.uint8)]
    pieces = [contigs[0][start : start + 40] for start in range(0, 460, 7)]
    monkeypatch.setattr("mirsweep.jobs.training.own_places._AT_ONCE", 64)
    assert find_places(pieces, contigs) == [Place(0, k, k + 40, True) for k in range(0, 460, 7)]


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("source", ["miRBase", "MirGeneDB"])
def test_a_precursor_of_the_genome_stays_in_its_place(genome, tmp_path, strand, source):
    stem = ("ACACUGUGGGAU", "AUCCCACAGUGU")
    text = (stem[0] + LET7 + stem[1]).replace("U", "T")
    if strand == "-":
        text = text.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    letters = "".join(genome.read_text().split("\n")[1:])
    with_it = tmp_path / "own.fa"
    with_it.write_text(f">c1\n{letters[:5000].lower()}{text}{letters[5000:]}\n")
    record = precursor("hsa-let-7a-1", LET7, source=source, arms=(5, 27, 56, 77))
    known = [precursor("hsa-mir-1-1", MIR1), record, precursor("hsa-mir-1-2", MIR1[:-1])]
    planted = plant_examples(known, [with_it], seed=1)
    assert planted.n_in_place == 1
    around = (letters[4900:5000] + text + letters[5000:5100]).upper()
    if strand == "-":
        around = around.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    own = [row for row in planted.positives.to_pylist() if row["family"] == "let7"]
    assert own
    for row in own:
        assert row["flank_5p"] + row["sequence"] + row["flank_3p"] in around.replace("T", "U")
        assert row["sequence"][row["mature5_start"] : row["mature5_end"]] == LET7[5:27]
    elsewhere = plant_examples(known, [with_it], seed=1, in_place=False)
    assert elsewhere.n_in_place == 0
    others = [[row for row in each.positives.to_pylist() if row["family"] != "let7"] for each in (planted, elsewhere)]
    assert others[0] == others[1]  # what one record does changes nothing for the others
    assert others[0]


def test_places_without_room_around_them_are_not_kept(tmp_path):
    rng = np.random.default_rng(6)
    letters = "".join(rng.choice(list("ACGT"), 3000))
    near_end, near_break = LET7.replace("U", "T"), MIR1.replace("U", "T")
    path = tmp_path / "g.fa"
    path.write_text(
        f">c1\n{letters[:100]}{near_end}{letters[:2000]}{near_break}{letters[2000:2140]}N{letters[2140:]}\n"
    )
    known = [precursor("hsa-let-7a-1", LET7), precursor("hsa-mir-1-1", MIR1)]
    assert plant_examples(known, [path], seed=1).n_in_place == 0


def test_records_of_the_wrong_strand_are_left_out():
    """let-7 of three species, and two that were read backwards: one has MirGeneDB's word for it."""
    opposite = LET7.translate(str.maketrans("ACGU", "UGCA"))[::-1]
    known = [precursor(f"{species}-let-7a", LET7) for species in ("hsa", "mmu", "dre")]
    wrong, curated = precursor("rno-let-7b", opposite), precursor("rno-mir-1", opposite, core=(5, 70))
    assert without_antisense([*known, wrong, curated, precursor("rno-mir-2", MIR1)]) == [
        *known,
        curated,
        precursor("rno-mir-2", MIR1),
    ]


def test_the_kingdoms_do_not_tell_each_other_the_strand():
    opposite = LET7.translate(str.maketrans("ACGU", "UGCA"))[::-1]
    known = [precursor(f"{species}-let-7a", LET7) for species in ("hsa", "mmu")]
    other = precursor("ath-MIR1", opposite)
    plant = other._replace(kingdom="plant")
    assert without_antisense([*known, plant]) == [*known, plant]
    assert without_antisense([*known, other]) == known


def test_exclusions_hold():
    orthologue = precursor("ppy-let-7a", LET7[10:])
    assert Exclusion(homologues_of=(LET7,)).holds(orthologue)
    assert not Exclusion(homologues_of=(MIR1,)).holds(orthologue)
    assert not Exclusion(homologues_of=(LET7,), homologous_species=frozenset({"hsa"})).holds(orthologue)
    assert Exclusion(species=frozenset({"ppy"})).holds(orthologue)
    assert Exclusion(families=frozenset({"let7"})).holds(orthologue)


def test_families_by_another_name_are_found():
    known = [precursor(f"hsa-mir-{k}", LET7, curated_family="mir10") for k in ("10a", "99a", "100", "99b")]
    known += [precursor("hsa-mir-99c", LET7, curated_family="mir7"), precursor("hsa-mir-21", MIR1)]
    assert equivalent_families(known, ["mir100"]) == {"mir10", "mir99", "mir100"}
    assert equivalent_families(known, ["mir21"]) == {"mir21"}


def test_sure_and_rare_families_weigh_more():
    many = [precursor(f"{species}-mir-9", MIR1) for species in ("hsa", "mmu", "dre", "gga", "xtr")]
    lone = precursor("hsa-mir-9999", LET7)
    curated = precursor("hsa-mir-8888", LET7, core=(5, 70))
    weights = confidence([*many, lone, curated])
    np.testing.assert_allclose(weights, [5**-0.5] * 5 + [0.15, 1])


def test_inverted_repeats_pair_along_their_length_and_are_negatives(genome):
    table = inverted_repeats([genome], n=30, seed=2)
    assert table.schema == EXAMPLE_SCHEMA
    assert table.num_rows > 15
    assert not any(table["label"].to_pylist())
    paired = [2 * s.count("(") / len(s) for s in table["structure"].to_pylist()]
    assert np.median(paired) > 0.6


def test_tandem_repeats_are_periodic_and_are_negatives(genome):
    table = tandem_repeats([genome], n=60, seed=2)
    assert table.schema == EXAMPLE_SCHEMA
    assert table.num_rows > 30
    assert not any(table["label"].to_pylist())
    periodic = [
        max(np.mean([a == b for a, b in zip(s, s[k:], strict=False)]) for k in range(2, 25))
        for s in table["sequence"].to_pylist()
    ]
    assert np.mean(np.array(periodic) > 0.6) > 0.4
    assert tandem_repeats([genome], n=60, seed=2).equals(table)


def test_records_are_read_with_kingdom_arms_and_core(tmp_path):
    rows = [
        ["pre_acc", "pre_name", "pre_seq", "m1_acc", "m1", "m1_seq", "m2_acc", "m2", "m2_seq"],
        ["1", "hsa-let-7a-1", LET7, "", "", LET7[5:27], "", "", LET7[56:77]],
        ["2", "ath-MIR156a", MIR1, "", "", MIR1[50:71], "", "", ""],
        ["3", "ebv-mir-BART1", MIR1.replace("U", "T").lower(), "", "", "", "", "", ""],
        ["4", "hsa-mir-0", "ACGN", "", "", "", "", "", ""],
    ]
    with gzip.open(tmp_path / "mirbase.tsv.gz", "wt") as table:
        table.write("\n".join("\t".join(row) for row in rows) + "\n")
    (tmp_path / "mg.fa").write_text(f">Hsa-Let-7-P1_pre\n{LET7[5:77]}\n>Xxx-Mir-1_pre\n{MIR1[3:-3]}AAA\n")
    known = read_precursors(tmp_path / "mirbase.tsv.gz", tmp_path / "mg.fa")
    assert [p.kingdom for p in known] == ["animal", "plant", "virus", "animal"]
    assert known[0].core == (5, 77)
    assert known[0].curated_family == "let7"
    assert known[1].curated_family == ""
    assert known[0].arms == (5, 27, 56, 77)
    assert known[1].arms == (-1, -1, 50, 71)
    assert known[2].sequence == MIR1
    assert known[3].source == "MirGeneDB"


def test_a_table_without_the_columns_is_refused(tmp_path):
    (tmp_path / "t.tsv").write_text("name\tseq\n")
    with pytest.raises(InputError, match="no column m1_seq"):
        read_precursors(tmp_path / "t.tsv")
    with pytest.raises(InputError, match=r"absent\.tsv: no such file"):
        read_precursors(tmp_path / "absent.tsv")


def test_length_and_ends_do_not_tell_what_was_inserted(genome):
    """Hairpins of the genome itself, inserted elsewhere, come out as they were."""
    table = inverted_repeats([genome], n=40, seed=4)
    known = [precursor(f"hsa-mir-{k}", s) for k, s in enumerate(table["sequence"].to_pylist())]
    planted = plant_examples(known, [genome], seed=5)
    again = planted.positives
    assert planted.n_found >= 0.95 * table.num_rows
    before = dict.fromkeys(table["sequence"].to_pylist())
    assert np.mean([s in before for s in again["sequence"].to_pylist()]) > 0.6
    lengths = [np.average([len(s) for s in t["sequence"].to_pylist()], weights=t["weight"]) for t in (table, again)]
    assert abs(lengths[0] - lengths[1]) <= 8
