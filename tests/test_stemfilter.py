"""The stem filter against its oracle, and what a user relies on: precursors pass, chance hairpins often not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference_stem
from mirsweep.scanner._stemfilter_weights import WEIGHTS
from mirsweep.scanner.fold import fold
from mirsweep.scanner.params import STEM_FILTERS
from mirsweep.scanner.stemfilter import describe_stems, passes, score_stems
from reference_fold import terminal_loop

LET7 = "CACUGUGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUAACGUG"


def described(sequences):
    folded = fold(sequences)
    loops = [terminal_loop(structure) for structure in folded.structures]
    penalised = folded.energies + 0.15 * np.array([len(s) for s in sequences])
    return describe_stems(sequences, folded.structures, loops, folded.energies, penalised), folded, loops


def random_sequences(n, seed, length=80):
    rng = np.random.default_rng(seed)
    return ["".join(row) for row in rng.choice(list("ACGU"), (n, length))]


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.text("ACGU", min_size=1, max_size=40),
            st.text("ACGU", min_size=4, max_size=20).map(
                lambda arm: arm + "GAAA" + arm.translate(str.maketrans("ACGU", "UGUA"))[::-1]
            ),
        ),
        min_size=1,
        max_size=4,
    ).map("".join)
)
def test_features_equal_the_oracle(sequence):
    found, folded, (loop,) = described([sequence])
    energy = float(folded.energies[0])
    expected = reference_stem.features(sequence, folded.structures[0], loop, energy, energy + 0.15 * len(sequence))
    assert found[0] == pytest.approx(expected)


@pytest.mark.parametrize("structure", ["." * 60, "(((...)))" + "." * 51, "((((((.((...))..((...)).))))))" + "." * 30])
def test_features_of_odd_structures_equal_the_oracle(structure):
    sequence = random_sequences(1, 3, 60)[0]
    structure = structure[:60].ljust(60, ".")
    loop = terminal_loop(structure)
    found = describe_stems([sequence], [structure], [loop], np.array([-1.0]), np.array([-2.0]))
    assert found[0] == pytest.approx(reference_stem.features(sequence, structure, loop, -1.0, -2.0))


@pytest.mark.parametrize("name", WEIGHTS)
def test_score_is_the_sum_of_the_terms(name):
    weights = WEIGHTS[name]
    features = described(random_sequences(50, 1))[0]
    z = np.clip((features - weights.centre) / weights.scale, -4, 4)
    expected = z @ np.array(weights.linear) + z**2 @ np.array(weights.square) + weights.bias
    assert score_stems(features, weights) == pytest.approx(expected)


def test_a_row_does_not_depend_on_the_others():
    features = described(random_sequences(40, 2))[0]
    for name, weights in WEIGHTS.items():
        alone = np.concatenate([score_stems(row[None], weights) for row in features])
        assert (score_stems(features, weights) == alone).all()
        assert (passes(name, features) == (alone >= weights.threshold)).all()


def test_a_precursor_passes_and_random_sequence_mostly_not():
    assert passes("animal", described([LET7])[0]).all()
    assert passes("plant", described([LET7])[0]).all()
    assert passes("animal", described(random_sequences(300, 4))[0]).mean() < 0.2


def test_no_filter_lets_all_through():
    assert set(STEM_FILTERS) == {"animal", "plant", "none"}
    assert passes("none", np.zeros((3, 16))).tolist() == [True] * 3
    assert passes("animal", np.zeros((0, 16))).tolist() == []
