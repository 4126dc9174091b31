import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.model.errors import ModelError
from mirsweep.model.stem import MATCH_NT, N_FLANK, lay_out, mature_words
from reference_columns import columns_of, matched, tokens_of


@st.composite
def hairpins(draw):
    """A sequence and any balanced structure of it, branched ones included."""
    n = draw(st.integers(1, 60))
    sequence = "".join(draw(st.lists(st.sampled_from("ACGU"), min_size=n, max_size=n)))
    structure, opened = [], 0
    for i in range(n):
        room = n - i - opened
        choices = ["."] * (room > 0) + ["("] * (room > 1) + [")"] * (opened > 0)
        symbol = draw(st.sampled_from(choices))
        opened += (symbol == "(") - (symbol == ")")
        structure.append(symbol)
    return sequence, "".join(structure)


@given(st.lists(hairpins(), min_size=1, max_size=5))
def test_columns_equal_the_plain_twin(records):
    sequences, structures = zip(*records, strict=True)
    stems = lay_out(sequences, structures)
    for k, (sequence, structure) in enumerate(records):
        n = stems.n_columns[k]
        assert stems.tokens[k, :n].tolist() == [list(pair) for pair in tokens_of(sequence, structure)]
        assert stems.places[k, :n].tolist() == [list(pair) for pair in columns_of(sequence, structure)]
        assert not stems.tokens[k, n:].any()
        assert (stems.places[k, n:] == -1).all()


@given(hairpins())
def test_every_base_stands_in_one_column(hairpin):
    places = lay_out([hairpin[0]], [hairpin[1]]).places
    assert sorted(places[places >= 0].tolist()) == list(range(len(hairpin[0])))


def test_flanks_tell_of_pairing_only():
    sequence, structure = "GGGAAAACCC", "(((....)))"
    stems = lay_out([sequence] * 3, [structure] * 3, ["GGACU", "ANAGC", ""], ["AGUCU", "GUUUG", "ACGU"])
    flank = stems.tokens[:, 5:, 0] - 17  # 0 no pair, 1 wobble, 2 Watson-Crick; nearest to the hairpin first
    assert flank.shape == (3, N_FLANK)
    assert flank[0, :6].tolist() == [2, 2, 2, 2, 1, 0]
    assert flank[1, :6].tolist() == [2, 1, 2, 0, 0, 0]
    assert not flank[2].any()
    assert not stems.tokens[:, 5:, 1].any()


def test_hidden_flanks_leave_no_columns():
    stems = lay_out(["GGGAAAACCC"] * 2, ["(((....)))"] * 2, ["A", "A"], ["U", "U"], has_flanks=np.array([True, False]))
    assert stems.n_columns.tolist() == [5 + N_FLANK, 5]


def test_matches_leave_out_the_own_species():
    mature = "UGAGGUAGUAGGUUGUAUAGUU"
    sequence = "GG" + mature + "AAAAAAA"
    library = mature_words([mature, mature[:MATCH_NT]], [1, 2])
    structures = ["." * len(sequence)] * 3
    stems = lay_out([sequence] * 3, structures, library=library, species=np.array([0, 1, 2]))
    marked = [
        {int(i) for i in stems.places[k][stems.matches[k] == 1]} for k in range(3)
    ]  # positions of the sequence, by record
    words = {mature[i : i + MATCH_NT] for i in range(len(mature) - MATCH_NT + 1)}
    assert marked[0] == {i for i, m in enumerate(matched(sequence, words, MATCH_NT)) if m}
    assert marked[1] == set(range(2, 2 + MATCH_NT))  # species 1 alone has the rest
    assert marked[2] == marked[0]


def test_malformed_hairpins_are_refused():
    with pytest.raises(ModelError, match="pair up"):
        lay_out(["ACGU"], ["((.."])
    with pytest.raises(ModelError, match="not a base"):
        lay_out(["ACGN"], ["...."])
