"""The energies read from ViennaRNA are those it uses: every loop of real structures costs the same."""

import numpy as np
import pytest
import RNA

from mirsweep.scanner.errors import InputError
from mirsweep.scanner.turner import FORBIDDEN, default_turner, read_turner
from reference_fold import Evaluator


@pytest.fixture
def other_parameters():
    """Lets a test change ViennaRNA's parameters and temperature."""
    yield
    RNA.params_load_RNA_Turner2004()
    RNA.cvar.temperature = 37.0


def _random(length: int, *, seed: int, letters: str = "ACGU") -> str:
    return "".join(np.random.default_rng(seed).choice(list(letters), length))


def _check_structures(seeds: range, letters: str = "ACGU") -> None:
    """Suboptimal structures are rich in odd loops, so they reach all tables."""
    turner = read_turner()
    for seed in seeds:
        sequence = _random(40 + seed % 40, seed=seed, letters=letters)
        evaluator = Evaluator(sequence, turner)
        other = _random(len(sequence), seed=seed + 10_000, letters="ACGU")
        for structure in (RNA.fold(sequence)[0], RNA.fold(other)[0]):
            structure = _only_canonical(structure, evaluator)
            expected = round(100 * RNA.eval_structure_simple(sequence, structure))
            if expected < FORBIDDEN:
                assert evaluator.energy(structure) == expected
            else:
                assert evaluator.energy(structure) >= FORBIDDEN


def _only_canonical(structure: str, evaluator: Evaluator) -> str:
    """The structure without the pairs that the sequence cannot form."""
    symbols, opened = list(structure), []
    for position, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(position)
        elif symbol == ")":
            first = opened.pop()
            if not evaluator.type(first, position):
                symbols[first] = symbols[position] = "."
    return "".join(symbols)


def test_energies_are_vienna_s():
    _check_structures(range(600))


def test_energies_with_unknown_bases_are_vienna_s():
    _check_structures(range(600, 800), letters="ACGUACGUN")


@pytest.mark.parametrize("celsius", [4.0, 25.0, 60.5])
def test_other_temperatures(celsius, other_parameters):
    RNA.cvar.temperature = celsius
    _check_structures(range(800, 900))


@pytest.mark.parametrize("loader", ["Andronescu2007", "Langdon2018", "Turner1999"])
def test_other_parameter_sets(loader, other_parameters):
    getattr(RNA, f"params_load_RNA_{loader}")()
    _check_structures(range(900, 1000))


def test_default_is_kept_while_vienna_s_parameters_change(other_parameters):
    before = default_turner()
    RNA.params_load_RNA_Andronescu2007()
    assert default_turner() is before
    assert not np.array_equal(read_turner().stack, before.stack)


def test_what_cannot_form_is_forbidden():
    turner = default_turner()
    assert (turner.hairpin[:3] == FORBIDDEN).all()
    assert (turner.stack[0] == FORBIDDEN).all()
    assert (turner.stack[1:, 1:] < 500).all()


def test_full_disk(monkeypatch):
    save = RNA.params_save

    def cut_short(path):
        save(path)
        with open(path, "r+") as stream:
            stream.truncate(1000)
        return 1

    monkeypatch.setattr(RNA, "params_save", cut_short)
    with pytest.raises(InputError, match=r"\.par: .*No space left on device.*TMPDIR"):
        read_turner()


def test_no_place_for_temporary_files(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="TMPDIR"):
        read_turner()
