"""The gate before folding against its oracles, and what a user relies on: precursors pass, each hairpin by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
import reference_stemgate
from mirsweep.scanner import scan_tile, stemgate
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.params import PRESETS, STEM_FILTERS, HairpinParams, preset_params
from mirsweep.scanner.prefilter import strand_hairpins

LET7 = "CACUGUGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUAACGUG"
LOOSE = HairpinParams(min_span=12, max_span=120, per_nt=0.05, threshold=4.0, long_span=60, nested=True)


@st.composite
def hairpin_rich(draw):
    """Codes of a few stems with bulges, interior loops and repeats."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    pieces = []
    for n_pairs in rng.integers(5, 30, draw(st.integers(1, 4))):
        arm = rng.integers(0, draw(st.sampled_from([2, 4])), n_pairs)
        other = 3 - arm[::-1]
        gap = rng.integers(0, n_pairs)
        other = np.concatenate([other[:gap], rng.integers(0, 4, rng.integers(0, 15)), other[gap:]])
        other[rng.random(other.size) < 0.1] = rng.integers(0, 4)
        pieces += [arm, rng.integers(0, 4, rng.integers(3, 12)), other]
    return np.concatenate(pieces).astype(np.uint8)


def found_in(codes, params=LOOSE):
    hairpins = strand_hairpins(codes, params)
    return hairpins, stemgate.find_stem_loops(codes, hairpins.starts, hairpins.ends)


@settings(max_examples=60)
@given(hairpin_rich())
def test_stem_loops_equal_the_oracle_and_have_the_energy_of_the_prefilter(codes):
    hairpins, found = found_in(codes)
    for start, end, energy, offset, own in zip(
        hairpins.starts, hairpins.ends, hairpins.energies, found.offsets, found.energies, strict=True
    ):
        partners = found.partners[offset : offset + end - start].tolist()
        assert partners == reference.stem_loop_partners(codes[start:end])
        is_weak = {int(codes[start]), int(codes[end - 1])} != {1, 2}
        assert own == pytest.approx(energy - 0.5 * is_weak, abs=1e-4)


@settings(max_examples=60)
@given(hairpin_rich())
def test_features_equal_the_oracle(codes):
    hairpins, found = found_in(codes)
    described = stemgate.describe_stem_loops(codes, hairpins.starts, hairpins.ends, found, hairpins.penalised)
    for k, (start, end) in enumerate(zip(hairpins.starts, hairpins.ends, strict=True)):
        partners = found.partners[found.offsets[k] :][: end - start].tolist()
        expected = reference_stemgate.features(codes[start:end], partners, found.energies[k], hairpins.penalised[k])
        assert described[k] == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", stemgate.read_gates())
def test_score_is_that_of_the_network(name):
    gate = stemgate.read_gates()[name]
    features = np.random.default_rng(3).normal(gate.centre, 3 * gate.scale, (50, gate.centre.size)).astype(np.float32)
    z = np.clip((features - gate.centre) / gate.scale, -4, 4).astype(np.float64)
    expected = np.maximum(z @ gate.hidden + gate.hidden_bias, 0) @ gate.last + gate.last_bias
    assert stemgate.score_stem_loops(features, gate) == pytest.approx(expected, abs=1e-3)


def test_there_is_a_gate_for_each_stem_filter():
    assert {*stemgate.read_gates(), "none"} == set(STEM_FILTERS)


def test_a_hairpin_does_not_depend_on_the_others():
    codes = np.random.default_rng(5).integers(0, 4, 60_000).astype(np.uint8)
    hairpins = strand_hairpins(codes, HairpinParams(min_span=45, max_span=150, per_nt=0.15, threshold=-3.0))
    columns = hairpins.starts, hairpins.ends, hairpins.penalised
    together = stemgate.passes("animal", codes, *columns)
    alone = [
        stemgate.passes("animal", codes, *(column[k : k + 1] for column in columns))[0] for k in range(len(together))
    ]
    assert together.tolist() == alone
    assert 0.1 < together.mean() < 0.9


def test_a_precursor_passes():
    codes = encode(LET7.encode())
    hairpins = strand_hairpins(codes, preset_params("animal"))
    for name in STEM_FILTERS:
        assert stemgate.passes(name, codes, hairpins.starts, hairpins.ends, hairpins.penalised).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_candidates_are_those_of_both_filters(preset):
    """What a scan without filters leaves and both let through is what a scan with them leaves."""
    rng = np.random.default_rng(6)
    bases = rng.choice(np.frombuffer(b"ACGTN", np.uint8), 60_000, p=[0.249, 0.25, 0.25, 0.25, 0.001]).tobytes()
    tables = [
        scan_tile(bases, bases_start=0, core_start=0, core_end=len(bases), params=preset_params(preset, **asked)).table
        for asked in ({}, {"stem_filter": "none"})
    ]
    with_filters, without = (
        set(zip(*(t[n].to_pylist() for n in ("start", "end", "strand", "mfe")), strict=True)) for t in tables
    )
    assert with_filters <= without
    assert (with_filters == without) == (preset == "virus")
    assert with_filters
