"""What a GPU computes, by torch's tensors: columns exactly, scores nearly, arms as the CPU's compiled loops have them.

The tensors' code is one for all devices: it runs here on the CPU, and on a GPU where there is one.
"""

import gzip

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers_model import LET_7, LET_7_FOLD
from mirsweep.jobs.demo.demo import DATA
from mirsweep.model import ModelError
from mirsweep.model import genome_on_device as on_device
from mirsweep.model.arms import decode_ends
from mirsweep.model.arms_on_device import ArmTerms, DeviceArm
from mirsweep.model.arms_on_device import decode_ends as decode_on_device
from mirsweep.model.columns_on_device import DeviceStems
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_on_cpu import OnCpu
from mirsweep.model.stem import HairpinTexts, Library, mature_words
from mirsweep.model.threads import one_torch_thread
from mirsweep.model.weights_file import genome_weights_of, read_weights_file
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.scan import TileBases, scan_tiles
from mirsweep.texts import Texts, texts_of
from strategies import hairpins
from test_arms import random_arm, random_weights

NO_WORDS = Library(np.empty(0, np.int64), np.empty(0, np.int32))
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]
FLANKS = st.text("ACGUTNRYacgun", max_size=30)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_torch_thread():
        yield


def texts_from(records: list[tuple[str, str, str, str]], *, with_flanks: bool) -> HairpinTexts:
    sequences, structures, before, after = (texts_of(column) for column in zip(*records, strict=True))
    return HairpinTexts(sequences, structures, *((before, after) if with_flanks else (None, None)))


def assert_same_columns(texts: HairpinTexts, library: Library, device: str = "cpu") -> None:
    expected, found = OnCpu(library).lay_out(texts), on_device.OnDevice(library, device).lay_out(texts)
    assert np.array_equal(found.n_columns, expected.n_columns)
    assert np.array_equal(found.is_matched, expected.matches.any(axis=(1, 2)))
    tokens, matches = columns_of(found)
    np.testing.assert_array_equal(tokens, expected.tokens)
    np.testing.assert_array_equal(matches, expected.matches)
    for k, places in enumerate(expected.places):
        np.testing.assert_array_equal(columns_of_bases(found, k), columns_by_place(places))
        kinds = (expected.tokens[k, :, 0] >= 9) & (expected.tokens[k, :, 0] < 13)
        assert found.loops[k, 1] - found.loops[k, 0] == (places[: kinds.sum()] >= 0).sum()


def columns_of(stems: DeviceStems) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and matches, (n, c, 2)."""
    device = stems.tokens.device
    rows, n_columns = (torch.from_numpy(each).to(device) for each in (stems.rows, stems.n_columns))
    tokens, matches = stems.columns(rows, n_columns, int(stems.n_columns.max()))
    return tokens.cpu().numpy(), matches.cpu().numpy()


def columns_of_bases(stems: DeviceStems, k: int) -> np.ndarray:
    first = int(stems.base_firsts[k])
    return stems.base_columns[first : first + int(stems.lengths[k])].cpu().numpy()


def columns_by_place(places: np.ndarray) -> np.ndarray:
    """Column of each base, of places (c, 2)."""
    columns, rows = np.nonzero(places >= 0)
    return columns[np.argsort(places[columns, rows])]


RECORDS = st.lists(
    st.tuples(hairpins().filter(lambda each: each[0] != ""), FLANKS, FLANKS).map(lambda r: (*r[0], r[1], r[2])),
    min_size=1,
    max_size=6,
)


def words_in(records: list[tuple[str, str, str, str]]) -> Library:
    """14-mers of parts of the hairpins, so that some match, and cross what lies end to end."""
    matures = [record[0].upper().replace("T", "U")[2:40] for record in records]
    matures.append((matures[0][-10:] + matures[-1])[:20])
    found = mature_words(matures, [1] * len(matures))
    return found._replace(species=np.zeros_like(found.species))


@given(RECORDS, st.booleans(), st.booleans())
@example([("A", ".", "", "")], True, False)
@example([("ACGU" * 4, "()()()()(()())()", "N", ""), ("GC", "()", "", "C")], True, True)
@example([("GGGAAACCCAGGGAAACCC", "(((...))).(((...)))", "", "A")], True, True)
@example([("GAGGAAACCAGGAAACCAC", "(.((...)).((...)).)", "ACGU", "UG")], False, True)
@example([("GGCAUUGCAGAAUGCAUUGC" * 3, "." * 60, "", "")] * 3, True, True)
@settings(max_examples=150, deadline=None)
def test_columns_are_those_of_the_compiled_loops(records, with_flanks, is_known):
    library = words_in(records) if is_known else NO_WORDS
    assert_same_columns(texts_from(records, with_flanks=with_flanks), library)


@pytest.mark.parametrize("n", [1, 13, 14, 15, 1900])
def test_columns_of_short_and_long_hairpins_without_pairs(n):
    records = [("ACGU" * n)[:n] for _ in range(2)]
    texts = texts_from([(sequence, "." * n, "AC", "GU") for sequence in records], with_flanks=True)
    assert_same_columns(texts, mature_words(["ACGU" * 5], [1])._replace(species=np.zeros(4, np.int32)))


@given(st.integers(0, 2**31), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_arms_are_those_of_the_search(seed, n):
    """Of the same weights of columns, arms of any lengths, some too short for a mature sequence."""
    rng = np.random.default_rng(seed)
    n_bases = rng.integers(0, 45, (n, 2))
    n_bases[:, 0] += n_bases.sum(1) == 0
    width, weights = 50, random_weights(rng)
    ends = rng.normal(scale=rng.choice([0.1, 1, 4]), size=(n, 4, width)).astype(np.float32)
    ends -= np.logaddexp.reduce(ends, axis=2, keepdims=True)
    places = np.full((n, width, 2), -1, np.int16)
    arms = [np.zeros((n, int(most)), np.int64) for most in n_bases.max(0)]
    for k, (n5, n3) in enumerate(n_bases.tolist()):
        for row, (size, first) in enumerate(((n5, 0), (n3, n5))):
            places[k, :, row] = random_arm(rng, width, size, first, is_5p=row == 0)
            arms[row][k, :size] = columns_by_place(places[k, :, row : row + 1])
    expected = decode_ends(places, np.zeros(n, np.int64), ends, weights)
    sizes, logs = torch.from_numpy(n_bases), torch.from_numpy(ends)
    both = [DeviceArm(sizes[:, r], torch.from_numpy(arms[r]), logs[:, 2 * r : 2 * r + 2]) for r in range(2)]
    terms = ArmTerms(torch.from_numpy(weights.lengths), torch.from_numpy(weights.overhangs))
    spans, near = (each.numpy() for each in decode_on_device(*both, terms))
    shifts = np.where(spans[:, 2:] >= 0, n_bases[:, :1], 0)
    np.testing.assert_array_equal(np.hstack([spans[:, :2], spans[:, 2:] + shifts]), expected.spans)
    np.testing.assert_allclose(near, expected.near, rtol=1e-6)


def test_of_mature_sequences_that_tie_the_first_is_taken():
    n = 20
    columns = torch.arange(n).expand(1, n)
    arm = DeviceArm(torch.tensor([n]), columns, torch.zeros(1, 2, n))
    terms = ArmTerms(torch.zeros(9, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
    assert decode_on_device(arm, arm, terms)[0].tolist() == [[0, 18, 0, 18]]


@pytest.fixture(scope="module")
def real() -> HairpinTexts:
    """Candidates of a piece of a genome, with flanks; and let-7, which matches 14-mers of the library."""
    with gzip.open(DATA / "slice.fa.gz") as lines:
        letters = b"".join(line.strip() for line in lines if not line.startswith(b">"))[:100_000]
    table = scan_tiles([TileBases(letters, 0, 0, len(letters))], params=ScanParams()).table
    columns = [list(Texts.from_arrow(table[name])) for name in ("sequence", "structure", "flank_5p", "flank_3p")]
    assert 150 < len(columns[0]) < 1500
    own = (LET_7, LET_7_FOLD, "ACGUN", "")
    return HairpinTexts(*(texts_of([*column[:400], extra]) for column, extra in zip(columns, own, strict=True)))


@pytest.fixture(scope="module")
def models() -> dict[str, GenomeModel]:
    """The bundled model: by compiled loops, and by tensors on each device."""
    file = read_weights_file("genome")
    weights = genome_weights_of(file)
    assert weights is not None
    found = {"loops": GenomeModel(weights, file.card), "cpu": GenomeModel(weights, file.card, as_tensors=True)}
    if torch.cuda.is_available():
        found["cuda"] = GenomeModel(weights, file.card, device="cuda")
    return found


def assert_same_predictions(found, expected) -> None:
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(found.expected_fp_per_mb, expected.expected_fp_per_mb, rtol=1e-2)
    for name, own, other in zip(expected.arms._fields, found.arms, expected.arms, strict=True):
        if own.dtype == np.float32:
            np.testing.assert_allclose(own, other, atol=1e-4, err_msg=name)
        else:
            np.testing.assert_array_equal(own, other, err_msg=name)


@pytest.mark.parametrize("device", DEVICES)
def test_real_hairpins_are_scored_as_by_the_compiled_loops(models, real, device):
    expected = models["loops"].predict(*real)
    assert 20 < (expected.arms.mature_start >= 0).sum() < len(expected.scores)
    assert expected.arms.is_stated[-1]
    assert_same_predictions(models[device].predict(*real), expected)


def test_without_flanks_too(models, real):
    some = real.part(slice(0, 60))
    expected = models["loops"].predict(some.sequences, some.structures)
    assert_same_predictions(models["cpu"].predict(some.sequences, some.structures), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_real_columns_are_those_of_the_compiled_loops(models, real, device):
    assert_same_columns(real, models["loops"].library, device)


@pytest.mark.parametrize("device", DEVICES)
def test_a_hairpin_does_not_depend_on_its_batch(models, real, device, monkeypatch):
    model, expected = models[device], models[device].predict(*real)
    assert_same_predictions(model.predict(*[column[7:8] for column in real]), _rows(expected, slice(7, 8)))
    monkeypatch.setattr(on_device, "_HAIRPINS", 50)
    monkeypatch.setattr(on_device, "_BASES", 4000)
    monkeypatch.setattr(on_device, "_COLUMNS", 700)
    monkeypatch.setattr(on_device, "_LEAST_BUCKET", 3)
    monkeypatch.setattr(on_device, "_PAIRS_OF_ENDS", 9000)
    order = np.random.default_rng(0).permutation(len(expected.scores))
    found = model.predict(*[column.take(order) for column in real])
    assert_same_predictions(found, _rows(expected, order))


def _rows(prediction, rows):
    arms = prediction.arms._make(column[rows] for column in prediction.arms)
    return prediction._replace(
        scores=prediction.scores[rows], expected_fp_per_mb=prediction.expected_fp_per_mb[rows], arms=arms
    )


def test_parts_hold_every_hairpin_once(monkeypatch):
    texts = texts_from([("A" * n, "." * n, "", "") for n in (5, 3, 90, 200, 1, 1, 7, 4)], with_flanks=False)
    platform = on_device.OnDevice(NO_WORDS, "cpu")
    assert list(platform.parts(texts)) == [slice(0, 8)]
    monkeypatch.setattr(on_device, "_BASES", 100)
    monkeypatch.setattr(on_device, "_HAIRPINS", 3)
    assert list(platform.parts(texts)) == [slice(0, 3), slice(3, 4), slice(4, 7), slice(7, 8)]
    assert not list(platform.parts(texts.part(slice(0, 0))))


def test_buckets_hold_every_hairpin_once_and_are_wide_enough(monkeypatch):
    monkeypatch.setattr(on_device, "_COLUMNS", 400)
    monkeypatch.setattr(on_device, "_LEAST_BUCKET", 2)
    n_columns = np.sort(np.random.default_rng(0).integers(1, 500, 80))[::-1]
    buckets = list(on_device._buckets(n_columns))
    assert [bucket.part.start for bucket in buckets] == [0, *(bucket.part.stop for bucket in buckets[:-1])]
    assert buckets[-1].part.stop == 80
    for part, width in buckets:
        assert n_columns[part.start] <= width < n_columns[part.start] + 8
        assert part.stop - part.start == 1 or (part.stop - part.start) * width <= 400


def test_no_hairpins_give_no_scores(models):
    assert models["cpu"].predict([], [], [], []).scores.shape == (0,)


@pytest.mark.parametrize(
    ("sequence", "structure"),
    [
        ("GGGAXAACCC", "(((....)))"),
        ("GGGAAAACCC", "((((...)))"),
        ("GGGAAAACCC", "(((...))))"),
        ("GGGAAAACCC", ")))....((("),
        ("GGGAAAACCC", "(((.x..)))"),
        ("GGGAAAACCC", "(((...)))"),
    ],
)
def test_malformed_hairpins_are_told_as_by_the_cpu(models, sequence, structure, monkeypatch):
    monkeypatch.setattr(on_device, "_HAIRPINS", 2)
    texts = ["GGGAAAACCC"] * 4 + [sequence], ["(((....)))"] * 4 + [structure]
    sentences = []
    for name in ("loops", "cpu"):
        with pytest.raises(ModelError) as raised:
            models[name].score(*texts)
        sentences.append(str(raised.value))
    assert sentences[0] == sentences[1]
    assert "5" in sentences[0]


def test_several_networks_are_no_network(models):
    with pytest.raises(TypeError, match="take one"):
        on_device.DeviceNetwork(models["loops"].weights, "cpu")
