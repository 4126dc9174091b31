"""Similarity to known precursors, against plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.jobs.loci.known_arms import ARM_NT, KnownArms, Words, find_similar, read_known_arms
from mirsweep.jobs.loci.likeness import NAMED
from mirsweep.scanner.alphabet import BREAK, encode

ARMS = ["UGAGGUAGUAGGUUGUAUAGUU", "CUAUACAACCUACUGCCUUCC", "UAAGGCACGCGGUGAAUGCC", "UGAGGUAGUAGGUUGUGUGGUUA"]
bases = st.text("ACGU", max_size=60)


def words(texts):
    codes = np.full((len(texts), ARM_NT), BREAK, np.uint8)
    for row, text in zip(codes, texts, strict=True):
        row[: len(text[:ARM_NT])] = encode(text[:ARM_NT].encode())
    return Words.of(codes)


def table(rows):
    """Known arms of (arm, opposite arm, is_3p, sureness, family)."""
    arms, opposite, is_3p, sureness, family = zip(*rows, strict=True)
    return KnownArms.of(
        words(arms),
        words(opposite),
        np.array(is_3p),
        np.array(sureness, np.uint8),
        np.array(family),
        [f"mir-{k}" for k in range(9)],
    )


def similar(texts, known, middles=None, begins=None):
    offsets = np.cumsum([0, *map(len, texts)])
    halves = np.array([len(text) / 2 for text in texts] if middles is None else middles, float)
    places = np.full((len(texts), 2), -1) if begins is None else np.array(begins).reshape(-1, 2)
    return find_similar(encode("".join(texts).encode()), offsets, halves, places, known)


def plain_value(text, middle, begins, arm, opposite, is_3p, sureness):
    """Similarity of a hairpin to one arm, straight from its definition; 0 without a shared seed."""
    arm, opposite = arm[:ARM_NT], opposite[:ARM_NT]
    best = None
    for place in range(len(text) - 17):
        here = text[place:]
        if here[1:8] != arm[1:8] or set(here[1:8]) - set("ACGU"):
            continue
        lies_3p = place + ARM_NT / 2 >= middle
        equal = sum(a == b for a, b in zip(here, arm, strict=False))
        value = equal - (1.0, 0.5, 0.0)[sureness] - 2 * (lies_3p != is_3p)
        if begins[lies_3p] >= 0:
            value += 1 if abs(place - begins[lies_3p]) <= 2 else -1
        if equal >= 14:
            elsewhere = range(max(0, place - 14)) if lies_3p else range(place + 20, len(text) - 14)
            most = max((sum(a == b for a, b in zip(text[k:], opposite, strict=False)) for k in elsewhere), default=0)
            value += max(0, most - 10) / 2
        best = value if best is None else max(best, value)
    return best


@st.composite
def searches(draw):
    """Known arms, hairpins that hold some of them, changed, and where the sequences of both arms begin in these."""
    arm = st.one_of(st.sampled_from(ARMS), st.text("ACGU", min_size=18, max_size=24))
    rows = draw(
        st.lists(
            st.tuples(arm, st.one_of(st.just(""), arm), st.booleans(), st.integers(0, 2), st.integers(0, 8)),
            min_size=1,
            max_size=6,
        )
    )
    texts = []
    for _ in range(draw(st.integers(0, 5))):
        first, second, *_ = draw(st.sampled_from(rows))
        text = list(draw(bases) + first + draw(bases) + second + draw(bases))
        for place in draw(st.lists(st.integers(0, max(0, len(text) - 1)), max_size=4)):
            text[place] = draw(st.sampled_from("ACGUN"))
        texts.append("".join(text))
    begins = draw(st.lists(st.tuples(*[st.integers(-1, 60)] * 2), min_size=len(texts), max_size=len(texts)))
    return rows, texts, begins


@given(st.lists(st.tuples(*[st.text("ACGUN", max_size=ARM_NT)] * 2), max_size=20))
def test_equal_bases_are_those_of_the_letters(pairs):
    ones, others = ([pair[k] for pair in pairs] for k in (0, 1))
    expected = [sum(a == b != "N" for a, b in zip(one, other, strict=False)) for one, other in pairs]
    assert words(ones).n_equal(words(others)).tolist() == expected


@given(searches())
@settings(max_examples=150, deadline=None)
def test_similarity_equals_the_plain_one(search):
    rows, texts, begins = search
    found = similar(texts, table(rows), begins=begins)
    for text, own, value, family in zip(texts, begins, found.value, found.family, strict=True):
        plain = [plain_value(text, len(text) / 2, own, *row[:4]) for row in rows]
        shared = [each for each in plain if each is not None]
        if not shared:
            assert (value, family) == (0, -1)
            continue
        assert value == pytest.approx(max(shared))
        assert family in [row[4] for row, each in zip(rows, plain, strict=True) if each == max(shared)]


@given(searches(), st.randoms())
@settings(max_examples=30, deadline=None)
def test_it_depends_on_the_hairpin_alone(search, random):
    """Neither on the other hairpins nor on the order of the known arms."""
    rows, texts, begins = search
    together = similar(texts, table(rows), begins=begins)
    random.shuffle(rows)
    known = table(rows)
    many = similar(texts * 600, known, begins=begins * 600)
    for k, text in enumerate(texts):
        alone = similar([text], known, begins=[begins[k]])
        assert (alone.value[0], alone.family[0]) == (together.value[k], together.family[k])
        assert set(many.value[k :: len(texts)]) == {together.value[k]}
        assert set(many.family[k :: len(texts)]) == {together.family[k]}


def test_nothing_is_similar_to_short_hairpins_or_to_no_hairpin():
    known = table([(ARMS[0], ARMS[1], False, 2, 1)])
    assert similar([], known).value.shape == (0,)
    assert similar([ARMS[0][:17], ""], known).family.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARMS[0] + "A" * 20 + ARMS[1], 22 + 5.5),  # of 21 bases of the other arm 11 are beyond chance
        ("A" * 30 + ARMS[0], 20),  # on the other side of the loop
        (ARMS[0] + "A" * 20, 22),  # the opposite arm is not there
        (ARMS[0][:10] + "C" + ARMS[0][11:] + "A" * 20 + ARMS[1], 21 + 5.5),
        (ARMS[0][:4] + "C" + ARMS[0][5:] + "A" * 20, 0),  # another seed
    ],
)
def test_what_is_counted(text, expected):
    assert similar([text], table([(ARMS[0], ARMS[1], False, 2, 1)])).value[0] == expected


@pytest.mark.parametrize(("begin", "expected"), [(-1, 22), (5, 23), (3, 23), (7, 23), (8, 21), (40, 21)])
def test_where_the_model_predicts_the_arm_counts(begin, expected):
    known = table([(ARMS[0], "", False, 2, 1)])
    assert similar(["A" * 5 + ARMS[0] + "A" * 20], known, begins=[(begin, 5)]).value[0] == expected


def test_a_family_of_few_species_counts_less():
    values = [
        similar([ARMS[0] + "A" * 20], table([(ARMS[0], "", False, sureness, 1)])).value[0] for sureness in (0, 1, 2)
    ]
    assert values == [21, 21.5, 22]


def test_a_table_is_read_as_it_was_written(tmp_path):
    known = table([(arm, ARMS[1 - k % 2], k % 2 == 1, k % 3, k) for k, arm in enumerate(ARMS)])
    known.save(tmp_path / "arms.safetensors")
    again = read_known_arms(tmp_path / "arms.safetensors")
    assert again.families == known.families
    columns = [[*table.arms, *table.opposite, *table[2:-1]] for table in (again, known)]
    assert all(np.array_equal(one, other) for one, other in zip(*columns, strict=True))


def test_the_bundled_arms_know_let_7():
    """C. elegans let-7 by its own name, and no random hairpin."""
    known = read_known_arms()
    rng = np.random.default_rng(0)
    noise = ["".join(rng.choice(list("ACGU"), 80)) for _ in range(400)]
    found = similar(["UACACUGUGGAUCCGG" + ARMS[0] + "UGGAAUAUUACCACCGGUGAA" + ARMS[1] + "GGCAUC", *noise], known)
    assert known.families[found.family[0]] == "let-7"
    assert found.value[0] > 25
    assert (found.value[1:] >= NAMED).mean() < 0.05
