"""A scoring actor on a GPU hands the candidates of all shards of a call to the model at once; each keeps its own."""

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mirsweep.jobs.demo.demo import DATA
from mirsweep.jobs.scanning.letters import Letters
from mirsweep.jobs.scanning.ray_work import score_shards
from mirsweep.jobs.scanning.shard_work import FoldedShard, fold_shard, score_shard
from mirsweep.jobs.scanning.shards import Piece, Shard
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.weights_file import genome_weights_of, read_weights_file
from mirsweep.scanner import open_genome
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.scan import TileBases

BOUNDS = (0, 20_000, 20_050, 50_000)
"""The middle one of three shards has no room for a candidate."""


class Counted:
    """A model that says that it computes on a GPU, and remembers how many hairpins each call had."""

    device = "cuda"

    def __init__(self, model: GenomeModel):
        self._model, self.label, self.calls = model, model.label, []

    def predict(self, *texts):
        self.calls.append(len(texts[0]))
        return self._model.predict(*texts)


@pytest.fixture(scope="module")
def model() -> GenomeModel:
    file = read_weights_file("genome")
    return GenomeModel(genome_weights_of(file), file.card)


@pytest.fixture(scope="module")
def shards() -> list[FoldedShard]:
    genome = open_genome(DATA / "slice.fa.gz")
    contig = genome.contigs[0]
    letters = genome.fetch(contig.name, 0, BOUNDS[-1])
    found = []
    for number, (start, end) in enumerate(itertools.pairwise(BOUNDS)):
        shard = Shard(f"00000{number}-x", (Piece("slice", contig.name, start, end, contig.length),))
        tile = TileBases(letters[start:end], start, start, end)
        found.append(fold_shard(shard, Letters((tile,), 0.0), ScanParams()))
    return found


def rows(result) -> pa.Table | None:
    return None if result.part is None else pq.read_table(io.BytesIO(result.part.content))


def test_shards_of_a_call_are_scored_at_once_and_each_keeps_its_rows(model, shards):
    counted = Counted(model)
    scored = score_shards(shards, counted, None)
    n_rows = [shard.table.num_rows for shard in shards]
    assert counted.calls == [sum(n_rows)]
    assert min(n_rows[0], n_rows[2]) > 20
    for shard, (outcome, refusal) in zip(shards, scored, strict=True):
        alone = score_shard(shard, model)
        assert (outcome.shard, outcome.reason, refusal) == (shard.shard, "", "")
        assert outcome.result.counts == alone.counts
        assert (rows(outcome.result) is None) == (shard.table.num_rows == 0)
        if shard.table.num_rows:
            assert rows(outcome.result).equals(rows(alone))


def test_on_a_cpu_each_is_scored_by_itself(model, shards):
    counted = Counted(model)
    counted.device = "cpu"
    score_shards(shards, counted, None)
    assert counted.calls == [shard.table.num_rows for shard in shards if shard.table.num_rows]


def test_a_bad_shard_costs_itself_alone(model, shards, caplog):
    column = shards[0].table.schema.get_field_index("structure")
    structures = pa.array(np.full(shards[0].table.num_rows, "(").tolist())
    bad = shards[0]._replace(table=shards[0].table.set_column(column, "structure", structures))
    (spoilt, _), (good, _) = score_shards([bad, shards[2]], Counted(model), None)
    assert spoilt.result is None
    assert spoilt.reason.startswith("ModelError: sequence 1 ")
    assert rows(good.result).equals(rows(score_shard(shards[2], model)))
    assert "2 shards could not be scored together" in caplog.text
