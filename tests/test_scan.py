"""Scanning by tiles: rows do not depend on the tiling, strands mirror, every base is accounted for."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.scanner import InputError, ScanParams, open_genome, scan_tile
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.candidates import FLANK_NT, UNSCORED_SCHEMA
from mirsweep.scanner.fold import fold
from mirsweep.scanner.params import PRESETS, preset_params
from mirsweep.scanner.scan import TileBases, _nesting, scan_tiles
from mirsweep.scanner.tiles import Tile, make_tiles, with_context

PARAMS = ScanParams()


def scan(bases, width, params=PARAMS):
    """Rows and summed counts of a whole contig, in tiles of one width."""
    return scan_one_by_one(bases, make_tiles(len(bases), width), params)


def scan_one_by_one(bases, tiles, params=PARAMS):
    results = []
    for tile in tiles:
        start, end = with_context(tile, length=len(bases), context_nt=params.context_nt)
        results.append(
            scan_tile(bases[start:end], bases_start=start, core_start=tile.start, core_end=tile.end, params=params)
        )
    table = pa.concat_tables([r.table for r in results]).unify_dictionaries().combine_chunks()
    return table, np.array([r.counts for r in results]).sum(axis=0).tolist()


@pytest.fixture(scope="module")
def genome_piece():
    """Hairpin-rich sequence with breaks, lower case and a repeat: 40 kb."""
    rng = np.random.default_rng(4)
    pieces = []
    for _ in range(60):
        arm = rng.integers(0, 4, rng.integers(20, 45))
        mutated = np.where(rng.random(arm.size) < 0.1, rng.integers(0, 4, arm.size), arm)
        pieces += [rng.integers(0, 4, rng.integers(0, 500)), arm, rng.integers(0, 4, 9), 3 - mutated[::-1]]
        pieces += [np.full(rng.integers(0, 3) * 20, 4)]
    pieces += [np.tile([2, 1], 100), np.tile(arm, 8)]
    letters = np.frombuffer(b"ACGTN", np.uint8)[np.concatenate(pieces).astype(np.int64)].copy()
    letters[5000:9000] += 32
    return letters.tobytes()


def test_rows_follow_the_schema(genome_piece):
    table, _ = scan(genome_piece, 10**9)
    assert table.schema == UNSCORED_SCHEMA
    assert table.num_rows > 50
    for row in table.to_pylist():
        forward = encode(genome_piece[row["start"] : row["end"]])
        own = forward if row["strand"] == "+" else reverse_complement(forward)
        assert row["sequence"] == decode(own)
        assert "N" not in row["sequence"]
        assert len(row["sequence"]) == len(row["structure"]) == row["end"] - row["start"]
        assert row["n_pairs"] == row["structure"].count("(") > 0
        loop = row["structure"][row["loop_start"] - 1 : row["loop_end"] + 1]
        assert loop == "(" + "." * (len(loop) - 2) + ")"
        assert row["gc"] == pytest.approx(sum(c in "GC" for c in row["sequence"]) / len(row["sequence"]))
        lower = sum(letter > 96 for letter in genome_piece[row["start"] : row["end"]])
        assert row["masked"] == pytest.approx(lower / len(row["sequence"]))
        assert row["penalised"] <= PARAMS.threshold + 1e-4


def surroundings(bases, row):
    """Flanks of a row, letter by letter from the contig."""
    letter = {"A": "A", "C": "C", "G": "G", "T": "U", "U": "U"}
    rna = [letter.get(chr(byte).upper(), "N") for byte in bases]
    before, after = rna[max(0, row["start"] - FLANK_NT) : row["start"]], rna[row["end"] : row["end"] + FLANK_NT]
    if row["strand"] == "+":
        return "".join(before), "".join(after)
    complement = {"A": "U", "C": "G", "G": "C", "U": "A", "N": "N"}
    return tuple("".join(complement[x] for x in reversed(part)) for part in (after, before))


@pytest.mark.parametrize("params", [PARAMS, ScanParams(flank=12)], ids=["bare", "longer"])
def test_flanks_are_what_stands_beside(genome_piece, params):
    found = scan(genome_piece, 1500, params)[0].to_pylist()
    for row in found:
        assert (row["flank_5p"], row["flank_3p"]) == surroundings(genome_piece, row)
    assert {len(row["flank_5p"]) for row in found[20:-20]} == {FLANK_NT}
    assert any("N" in row["flank_3p"] for row in found)


@pytest.mark.parametrize(("n_before", "n_after"), [(0, 0), (3, 0), (0, 5), (23, 24), (24, 25)])
def test_flanks_end_with_the_contig(n_before, n_after):
    arm = "GCUAGCGGAUCCAUGCGAUCAGGCUAAGC"
    hairpin = f"{arm}AACAACAA{arm.translate(str.maketrans('ACGU', 'UGCA'))[::-1]}"
    bases = ("A" * n_before + hairpin + "A" * n_after).replace("U", "T").encode()
    found = [row for row in scan(bases, 10**9, ScanParams(stem_filter="none"))[0].to_pylist() if row["n_pairs"] >= 29]
    assert {row["strand"] for row in found} == {"+", "-"}
    for row in found:
        first, last = min(row["start"], FLANK_NT), min(len(bases) - row["end"], FLANK_NT)
        lengths = (len(row["flank_5p"]), len(row["flank_3p"]))
        assert lengths == ((first, last) if row["strand"] == "+" else (last, first))
        assert (row["flank_5p"], row["flank_3p"]) == surroundings(bases, row)


@pytest.mark.parametrize("flank", [20, 190])
def test_tiling_does_not_show_where_flanks_are_longer_than_hairpins(genome_piece, flank):
    params = ScanParams(min_span=10, max_span=18, threshold=-1.0, flank=flank, stem_filter="none", fold_engine="batch")
    piece = genome_piece[:2500]
    table, _ = scan(piece, 200, params)
    assert table.num_rows > 5
    assert table.equals(scan(piece, 10**9, params)[0])


@pytest.mark.parametrize(("width", "preset"), [(61, "animal"), (700, "animal"), (997, "plant"), (8192, "virus")])
def test_tiling_does_not_show(genome_piece, width, preset):
    params = preset_params(preset)
    table, counts = scan(genome_piece, width, params)
    whole, whole_counts = scan(genome_piece, 10**9, params)
    assert table.equals(whole)
    assert counts == whole_counts


def test_rows_are_sorted(genome_piece):
    table, _ = scan(genome_piece, 1500)
    keys = [(row["start"], row["end"], row["strand"]) for row in table.to_pylist()]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("preset", PRESETS)
def test_reverse_complement_gives_the_mirrored_rows(genome_piece, preset):
    complement = bytes.maketrans(b"ACGTacgt", b"TGCAtgca")
    mirrored, _ = scan(genome_piece.translate(complement)[::-1], 3000, preset_params(preset))
    table, _ = scan(genome_piece, 3000, preset_params(preset))

    def rows(table, mirror):
        out = []
        for row in table.to_pylist():
            if mirror:
                row["start"], row["end"] = len(genome_piece) - row["end"], len(genome_piece) - row["start"]
                row["strand"] = "-" if row["strand"] == "+" else "+"
            out.append(tuple(row.values()))
        return sorted(out)

    assert rows(mirrored, mirror=True) == rows(table, mirror=False)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_one_strand_is_half_of_both(genome_piece, strand):
    one, _ = scan(genome_piece, 5000, ScanParams(strand=strand))
    both, _ = scan(genome_piece, 5000)
    assert one.to_pylist() == both.filter(pc.equal(pc.cast(both["strand"], pa.string()), strand)).to_pylist()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ACGTacgtNRn"), st.integers(1, 70)), max_size=12), st.integers(1, 90))
def test_every_base_is_accounted_for(runs, width):
    bases = "".join(letter * n for letter, n in runs).encode()
    _, counts = scan(bases, width) if bases else (None, [0, 0, 0])
    valid = "".join(chr(c) if chr(c) in "ACGTacgt" else " " for c in bases)
    short = sum(len(run) for run in valid.split() if len(run) < PARAMS.min_span)
    assert counts == [len(bases), valid.count(" "), short]


def test_a_hairpin_on_a_tile_border_is_found_once(genome_piece):
    whole, _ = scan(genome_piece, 10**9)
    for row in whole.slice(20, 15).to_pylist():
        border = (row["start"] + row["end"]) // 2
        table, _ = scan_one_by_one(genome_piece, [Tile(0, border), Tile(border, len(genome_piece))])
        assert table.to_pylist().count(row) == 1


def test_flanks_reach_to_the_next_break(genome_piece):
    """The same hairpins, longer by the flank on both sides, less where a break or an end of the contig is near."""
    table, _ = scan(genome_piece, 10**9, ScanParams(stem_filter="none"))
    flanked, _ = scan(genome_piece, 10**9, ScanParams(stem_filter="none", flank=12))
    assert flanked.num_rows == table.num_rows
    breaks = [-1, *np.flatnonzero(encode(genome_piece) == 4).tolist(), len(genome_piece)]
    expected = []
    for row in table.to_pylist():
        first = max(b for b in breaks if b < row["start"]) + 1
        last = min(b for b in breaks if b >= row["end"])
        expected.append((max(first, row["start"] - 12), min(last, row["end"] + 12), row["strand"]))
    assert [(row["start"], row["end"], row["strand"]) for row in flanked.to_pylist()] == sorted(expected)


@pytest.mark.parametrize("preset", ["animal", "plant"])
def test_candidates_within_others_are_folded_as_by_themselves(genome_piece, preset):
    table, _ = scan(genome_piece, len(genome_piece), preset_params(preset, strand="both", fold_engine="batch"))
    names = ("start", "end", "strand", "sequence", "structure", "mfe")
    starts, ends, strands, sequences, structures, energies = (table[name].to_pylist() for name in names)
    places = list(zip(starts, ends, strands, strict=True))
    n_within = sum(
        any(a <= start and end <= b and s == strand and (a, b) != (start, end) for a, b, s in places)
        for start, end, strand in places
    )
    assert n_within > 20
    alone = fold(sequences)
    assert structures == alone.structures
    assert energies == alone.energies.tolist()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20), st.sampled_from("+-")), max_size=25, unique=True))
def test_who_lies_within_whom(places):
    starts, lengths, strands = zip(*places, strict=True) if places else ((), (), ())
    starts, ends = np.array(starts, np.int64), np.array(starts, np.int64) + np.array(lengths, np.int64)
    found = SimpleNamespace(starts=starts, ends=ends, strands=np.array(strands, "U1"))
    nesting = _nesting(found)
    for k, (owner, first) in enumerate(zip(nesting.owners.tolist(), nesting.firsts.tolist(), strict=True)):
        within = (starts <= starts[k]) & (ends[k] <= ends) & (found.strands == strands[k])
        assert within[owner]
        assert nesting.owners[owner] == owner
        assert (owner == k) == (within.sum() == 1)
        assert first == (starts[k] - starts[owner] if strands[k] == "+" else ends[owner] - ends[k])


def test_stem_filter_only_drops_rows(genome_piece):
    every, _ = scan(genome_piece, 10**9, ScanParams(stem_filter="none"))
    rows = scan(genome_piece, 10**9)[0].to_pylist()
    assert 0 < len(rows) < every.num_rows
    everything = every.to_pylist()
    assert all(row in everything for row in rows)


def test_preset_gives_way_to_what_is_asked_for():
    params = preset_params("plant", max_span=200, flank=None, threshold=-5.0)
    assert (params.max_span, params.threshold) == (200, -5.0)
    assert (params.flank, params.stem_filter) == (PRESETS["plant"]["flank"], "plant")
    assert preset_params("animal") == ScanParams()
    with pytest.raises(InputError, match="preset 'fungus' is unknown: choose one of animal, plant, virus"):
        preset_params("fungus")


@pytest.mark.parametrize("options", [{"max_span": 390, "flank": 6}, {"flank": -1}])
def test_what_cannot_be_folded_is_refused(options):
    with pytest.raises(InputError, match="at most 400 nt"):
        ScanParams(**options)


@pytest.mark.parametrize("options", [{"strand": "x"}, {"fold_engine": "guess"}, {"stem_filter": "x"}])
def test_unknown_choices_are_refused(options):
    with pytest.raises(InputError, match="choose one of"):
        ScanParams(**options)


@pytest.mark.data
def test_epstein_barr_virus_holds_its_known_loci(data_dir):
    """At least 22 of the 25 precursors of miRBase v22, by the overlap rule, before any score."""
    genome = open_genome(data_dir / "genomes" / "ebv_NC_007605.fa.gz")
    (contig,) = genome.contigs
    table, _ = scan(genome.fetch(contig.name, 0, contig.length), 60_000)
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    strands = np.array(table["strand"].to_pylist())
    recovered = 0
    for line in (data_dir / "genomes" / "ebv_NC_007605.mirbase_v22.gff3").read_text().splitlines():
        if not line.startswith("#"):
            fields = line.split("\t")
            start, end = int(fields[3]) - 1, int(fields[4])
            overlap = np.minimum(ends, end) - np.maximum(starts, start)
            enough = (overlap >= 0.7 * (end - start)) & (overlap >= 0.4 * (ends - starts)) & (strands == fields[6])
            recovered += bool(enough.any())
    assert recovered >= 22


def cut_at_random(bases: bytes, rng: np.random.Generator) -> list[TileBases]:
    """Contigs of 1 to 900 nt, each as one tile, and some as three tiles with their context."""
    tiles, position = [], 0
    while position < len(bases):
        contig = bases[position : position + int(rng.integers(1, 900))]
        position += len(contig)
        cuts = make_tiles(len(contig), max(1, len(contig) // 3) if rng.random() < 0.3 else len(contig))
        for cut in cuts:
            start, end = with_context(cut, length=len(contig), context_nt=PARAMS.context_nt)
            tiles.append(TileBases(contig[start:end], start, cut.start, cut.end))
    return tiles


def place_of(tile: TileBases) -> dict[str, int]:
    return {"bases_start": tile.start, "core_start": tile.core_start, "core_end": tile.core_end}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", [1, 2])
def test_many_tiles_at_once_are_the_same_as_one_by_one(genome_piece, preset, seed):
    tiles, params = cut_at_random(genome_piece[:20_000], np.random.default_rng(seed)), preset_params(preset)
    found = scan_tiles(tiles, params=params)
    alone = [
        scan_tile(t.bases, bases_start=t.start, core_start=t.core_start, core_end=t.core_end, params=params)
        for t in tiles
    ]
    assert found.n_rows.tolist() == [each.table.num_rows for each in alone]
    assert found.counts == tuple(each.counts for each in alone)
    assert found.table.to_pylist() == [row for each in alone for row in each.table.to_pylist()]
    assert found.table.num_rows > 20
