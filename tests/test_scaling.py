"""Laws of time and memory: what is fitted, what a human genome takes by them, and that the page shows the results."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _benchmarks_are_found(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def _result(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


def test_laws_that_data_follow_are_found():
    laws = importlib.import_module("scaling_laws")
    x = np.array([1.0, 2, 4, 8])
    assert laws.line(x, 3 + 2 * x) == pytest.approx(
        {"fixed": 3, "per_unit": 2, "rms_residual": 0, "largest_residual": 0}, abs=1e-6
    )
    assert laws.line(x, np.array([1.0, 3, 7, 15]))["fixed"] == 0  # nothing takes less than no time
    assert laws.power(x, 5 * x**1.5)["exponent"] == pytest.approx(1.5)
    assert laws.exponential(x, 5 * np.exp(-0.3 * x))["rate"] == pytest.approx(-0.3)
    assert laws.line(x, np.array([1.0, 2, 4, 10]))["largest_residual"] > 0.05


def test_a_human_genome_on_more_cores_waits_for_what_one_core_does_alone():
    laws = importlib.import_module("scaling_laws")
    core_seconds = {"fold": 3_000.0, "second pass": 100.0, "page": 2.0}
    on_ray = {"1": {"fixed": 5.0, "per_unit": 1.0}, "2": {"fixed": 6.0, "per_unit": 0.5}}
    one, two, many = (laws.human_row(n, core_seconds, on_ray, 90.0) for n in (1, 2, 2_000))
    assert one["seconds"] == 3_102
    assert two["seconds"] == pytest.approx(6 + 0.5 * 3_150 + 102)
    assert two["rate_is_measured"]
    assert many["seconds"] == pytest.approx(6 + 3_150 / 90 + 102)  # the driver's commits bind
    assert not many["rate_is_measured"]
    assert laws.human_row(2, core_seconds, {}, 90.0)["seconds"] == 1_500 + 102  # divided, where Ray was not measured


def test_the_page_shows_the_committed_results():
    page, text = importlib.import_module("make_scaling_page"), (ROOT / "docs" / "scaling.md").read_text()
    contents = importlib.import_module("scaling_page").blocks(_result("scaling"), _result("peers"))
    assert page.renewed(text, contents) == text
    with pytest.raises(SystemExit, match="markers and contents differ"):
        page.renewed(text, contents | {"unheard of": ""})


def test_pieces_of_a_chromosome_are_composed_as_the_whole_is():
    runs = importlib.import_module("scaling_runs")
    letters = b"A" * 400_000 + b"G" * 400_000
    piece = runs.spread_piece(letters, 250_000)
    assert len(piece) == 250_000
    assert runs.gc_share(piece) == 0.5
    assert runs.spread_piece(letters, 10**6) == letters
    assert runs.gc_share(runs.random_letters(100_000, 0.3)) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("structure", "loops"),
    [
        ("..((...))..(((...))).", [(2, 9, 2), (11, 20, 3)]),
        ("((..((...))..((....))..))..((...))", [(4, 11, 2), (13, 21, 2), (27, 34, 2)]),
        ("(((.(((...)))...)))", [(0, 19, 6)]),
        (".....", []),
    ],
)
def test_peers_hairpins_are_the_widest_parts_with_one_loop(structure, loops):
    assert list(importlib.import_module("peers_folding").stem_loops(structure)) == loops
