"""The commands as a user types them: output, exit codes, what goes to which stream, and that all is documented."""

import csv
import gzip
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pysam
import pytest

from helpers_jobs import assert_same_rows, command, make_model, mirsweep, rows, slice_bases, write_fasta
from helpers_model import LET_7
from mirsweep import jobs
from mirsweep.jobs.cli.main import COMMANDS, cli, main
from mirsweep.jobs.results.dataset import open_output
from mirsweep.model import Arms, Prediction, load_model
from mirsweep.scanner import fold
from mirsweep.scanner.candidates import ARM_COLUMNS

DOCS = Path(__file__).parents[1] / "docs" / "cli.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors")


@pytest.fixture(scope="module")
def genome(folder):
    return write_fasta(folder / "genome.fa", {"c": slice_bases(0, 25_000)})


@pytest.fixture(scope="module")
def output(folder, genome, model):
    done = mirsweep("scan", genome, "-o", folder / "out", "--model", model, "--local", "--shard-nt", 10_000)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert re.search(r"\d+ candidates in .*out \(\d+\.\d s\)\n$", done.stderr)
    return folder / "out"


@pytest.fixture(scope="module")
def labelled(folder):
    """Hairpins of long and of short stems, as FASTA."""
    rng = np.random.default_rng(0)
    files = []
    for name, stem in (("pos", 27), ("neg", 15)):
        arms = ["".join(rng.choice(list("ACGU"), stem)) for _ in range(30)]
        complement = str.maketrans("ACGU", "UGCA")
        records = {f"{name}{i}": f"{arm}GAAAUA{arm.translate(complement)[::-1]}" for i, arm in enumerate(arms)}
        files.append(write_fasta(folder / f"{name}.fa", records))
    return files


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


def test_version_and_help(capsys):
    assert run(capsys, "--version") == (0, f"mirsweep, version {version('mirsweep')}\n", "")
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name, summary in COMMANDS.items():
        assert " ".join(f"{name} {summary}".split()) in " ".join(out.split())
        assert cli.get_command(None, name).get_short_help_str(200) == summary
        code, text, _ = run(capsys, name, "--help")
        assert code == 0
        assert "Usage: mirsweep" in text


def test_the_installed_command_is_this_one():
    script = Path(sys.executable).parent / "mirsweep"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"mirsweep, version {version('mirsweep')}\n"


HEAVY = ("torch", "ray", "duckdb", "numba", "RNA", "pyfaidx", "Bio", "scipy", "sklearn")


def test_help_and_query_load_nothing_heavy(output):
    code = (
        "import sys; from mirsweep.jobs.cli.main import main; "
        f"main(['--help']); main(['query', {str(output)!r}, '--limit', '1']); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["scan"],
        ["scan", "x.fa"],
        ["scan", "x.fa", "-o", "out", "--strand", "up"],
        ["scan", "x.fa", "-o", "out", "--min-span", "many"],
        ["query"],
        ["query", "OUT", "--format", "xml"],
        ["query", "OUT", "--format", "parquet"],
        ["query", "OUT", "--format", "gff3", "--compress"],
        ["query", "OUT", "--format", "gff3", "-o", "x.gff3.gz"],
        ["query", "OUT", "-o", "x.tsv.gz"],
        ["query", "OUT", "--sql", "SELECT 1", "--columns", "end"],
        ["query", "OUT", "--sql", "SELECT 1", "--limit", "3"],
        ["query", "OUT", "--strict", "--max-fp-per-mb", "2"],
        ["query", "OUT", "--sql", "SELECT 1", "--balanced"],
        ["compare", "OUT", "KNOWN", "--json", "--missed"],
        ["compare", "OUT", "KNOWN", "--strict", "--sensitive"],
        ["evaluate", "only.fa"],
        ["scan", "x.fa", "-o", ""],
        ["scan", "", "-o", "out"],
        ["scan", "x.fa", "-o", "out", "--region", ""],
        ["scan", "x.fa", "-o", "out", "--contig", "a", "--contig", ""],
        ["scan", "x.fa", "-o", "out", "--workers", "9" * 20],
        ["query", "OUT", "--region", ""],
        ["query", "OUT", "--contig", ""],
        ["query", "OUT", "-o", ""],
        ["query", "OUT", "--limit", "9" * 20],
        ["query", "OUT", "--min-length", "9" * 20],
        ["demo", "-o", ""],
        ["reproduce", "-o", ""],
    ],
    ids=" ".join,
)
def test_bad_usage_is_code_2_with_help(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Usage: mirsweep" in err
    assert "Error: " in err


def test_scan_twin_gives_the_same_rows(output, folder, genome, model):
    report = jobs.scan(genome, output=folder / "twin", model=model, local=True, quiet=True)
    assert_same_rows(report.output, output)


def test_scan_names_and_options_reach_the_run(capsys, folder, genome, model):
    asked = ["--min-span", 50, "--max-span", 100, "--per-nt", 0.3, "--threshold", -3, "--strand", "-", "--name", "asm"]
    code, _, _ = run(capsys, "scan", genome, "-o", folder / "asked", "--model", model, "--quiet", *asked)
    assert code == 0
    run_json = json.loads((folder / "asked" / "run.json").read_text())
    parameters = run_json["parameters"]
    assert (parameters["min_span"], parameters["max_span"], parameters["strand"]) == (50, 100, "-")
    assert (parameters["per_nt"], parameters["threshold"]) == (0.3, -3)
    table = rows(folder / "asked").to_pylist()
    assert table
    assert {(row["genome"], row["strand"]) for row in table} == {("asm", "-")}
    assert all(50 <= row["end"] - row["start"] <= 100 for row in table)


def test_preset_gives_way_to_options(capsys, folder, genome, model):
    asked = ["--preset", "plant", "--max-span", 150, "--stem-filter", "none"]
    assert run(capsys, "scan", genome, "-o", folder / "preset", "--model", model, "--quiet", *asked)[0] == 0
    parameters = json.loads((folder / "preset" / "run.json").read_text())["parameters"]
    assert (parameters["max_span"], parameters["stem_filter"]) == (150, "none")
    assert (parameters["flank"], parameters["per_nt"], parameters["long_span"]) == (8, 0.25, 130)
    code, _, err = run(capsys, "scan", genome, "-o", folder / "long", "--preset", "plant", "--flank", 9)
    assert code == 2
    assert "max-span 384 with 9 nt of flank on both sides cannot be folded" in err


def test_another_scan_into_the_same_output(capsys, folder, genome, model):
    arguments = ["scan", genome, "-o", folder / "again", "--model", model, "--quiet", "--local"]
    assert run(capsys, *arguments) == (0, "", "")
    code, _, err = run(capsys, *arguments, "--threshold", -10)
    assert code == 2
    assert "holds another scan (parameter threshold: there -7.5, here -10.0): choose another -o" in err
    before = rows(folder / "again").num_rows
    assert run(capsys, *arguments, "--threshold", -10, "--overwrite")[0] == 0
    assert 0 < rows(folder / "again").num_rows < before


def test_a_failed_shard_is_code_1(capsys, folder, genome, model, monkeypatch):
    """The disk's fault is not a shard's; a bug that some bases trigger is: here, a scanner that breaks on them."""
    from mirsweep.jobs.scanning import shard_work as work

    scan_tiles = work.scan_tiles

    def breaks(tiles, **params):
        if tiles[0].core_start == 12_500:
            raise ZeroDivisionError("a bug")
        return scan_tiles(tiles, **params)

    monkeypatch.setattr(work, "scan_tiles", breaks)
    arguments = ["scan", genome, "-o", folder / "failed", "--model", model, "--local", "--shard-nt", 12_500]
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert "failed: ZeroDivisionError: a bug" in err
    monkeypatch.undo()
    code, _, err = run(capsys, *arguments, "--quiet")
    assert (code, err) == (0, "")


def test_query_prints_what_the_twin_returns(capsys, output):
    code, out, err = run(capsys, "query", output, "--strand", "+", "--max-mfe", -20, "--sort", "score", "--limit", 5)
    table = jobs.query(output, strand="+", max_mfe=-20, sort="score", limit=5)
    assert (code, err) == (0, "")
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == table.schema.names
    assert [line[7] for line in lines[1:]] == table["sequence"].to_pylist()
    assert len(lines) == 6


@pytest.mark.parametrize("limit", [["--strict"], ["--balanced"], ["--sensitive"], ["--max-fp-per-mb", 2]], ids=str)
def test_limits_of_false_calls_need_a_calibrated_model(capsys, output, tmp_path, limit):
    """The model of this scan has none; tests/test_query.py has rows that do."""
    (tmp_path / "known.bed").write_text("c\t0\t60\tk\t0\t+\n")
    for arguments in (["query", output], ["compare", output, tmp_path / "known.bed"]):
        code, out, err = run(capsys, *arguments, *limit)
        assert (code, out) == (2, "")
        assert re.search(r"the scan's model small:\w+ has no calibration, so false positives per Mb are not known", err)


@pytest.mark.parametrize(
    ("limit", "value"),
    [(["--strict"], 0.1), (["--balanced"], 1), (["--sensitive"], 10), (["--max-fp-per-mb", 2], 2)],
    ids=str,
)
def test_limits_of_false_calls_reach_query_and_compare(capsys, output, tmp_path, limit, value):
    """The same rows, with an expected rate by row."""
    calibrated = tmp_path / "out"
    shutil.copytree(output, calibrated)
    for number, part in enumerate(sorted(calibrated.glob("candidates/*.parquet"))):
        table = pq.read_table(part, partitioning=None)
        column = table.schema.get_field_index("expected_fp_per_mb")
        rates = pa.array([0.05 * 1.1 ** ((number + 7 * i) % 80) for i in range(table.num_rows)], pa.float32())
        pq.write_table(table.set_column(column, table.schema.field(column), rates), part)
    shutil.rmtree(calibrated / "_shards")  # which knows the former sizes
    wanted = sum(rate <= np.float32(value) for rate in rows(calibrated)["expected_fp_per_mb"].to_pylist())
    assert 0 < wanted < rows(calibrated).num_rows
    code, out, _ = run(capsys, "query", calibrated, *limit)
    assert (code, len(out.splitlines())) == (0, 1 + wanted)
    (tmp_path / "known.bed").write_text("c\t0\t60\tk\t0\t+\n")
    code, out, _ = run(capsys, "compare", calibrated, tmp_path / "known.bed", "--json", *limit)
    assert (code, json.loads(out)["n_candidates"]) == (0, wanted)


def test_query_writes_files_whole(capsys, output, tmp_path):
    path = tmp_path / "x.parquet"
    assert run(capsys, "query", output, "--format", "parquet", "-o", path) == (0, "", "")
    assert pq.read_table(path).num_rows == rows(output).num_rows
    code, _, err = run(capsys, "query", output, "--contig", "nope", "-o", tmp_path / "y.tsv")
    assert (code, (tmp_path / "y.tsv").exists()) == (2, False)
    assert "no contig 'nope'" in err


def test_query_compresses_and_indexes(capsys, output, tmp_path):
    path = tmp_path / "x.gff3.gz"
    assert run(capsys, "query", output, "--format", "gff3", "--compress", "-o", path) == (0, "", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.gff3.gz", "x.gff3.gz.tbi"]
    _, plain, _ = run(capsys, "query", output, "--format", "gff3")
    with gzip.open(path, "rt") as stream:
        assert stream.read() == plain
    with pysam.TabixFile(str(path)) as opened:
        n = sum("\tmiRNA_primary_transcript\t" in line for contig in opened.contigs for line in opened.fetch(contig))
    assert n == jobs.query(output).num_rows > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "csv", "--compress", "-o", "x.csv.gz"], "format csv has no tabix index: only gff3, bed,"),
        (["--format", "bed", "--compress", "-o", "x.bed"], "needs a name that ends in .gz, as x.bed.gz"),
        (["--format", "bed", "--columns", "end"], "format bed has its own columns"),
        (["--columns", "scores"], "a scan has no column 'scores': did you mean 'score'"),
    ],
    ids=str,
)
def test_query_names_what_formats_cannot_do(capsys, output, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "query", output, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_gff3_and_bed_are_by_position_whatever_is_asked_for(capsys, output):
    """The order asked for says which rows a limit keeps; SQL may give rows in any."""
    best = jobs.query(output, sort="score", limit=7).to_pylist()
    places = sorted((row["contig"], row["start"], row["end"]) for row in best)
    sql = 'SELECT * FROM candidates ORDER BY score DESC, contig, start, "end", strand LIMIT 7'
    for arguments in (["--sort", "score", "--limit", 7], ["--sql", sql]):
        _, out, _ = run(capsys, "query", output, "--format", "bed6", *arguments)
        fields = [line.split("\t") for line in out.splitlines()]
        assert [(f[0], int(f[1]), int(f[2])) for f in fields] == places
        _, out, _ = run(capsys, "query", output, "--format", "gff3", *arguments)
        lengths = open_output(output).contigs.lengths_of()
        declared = [line for line in out.splitlines() if line.startswith("##seq")]
        assert declared == [f"##sequence-region {c} 1 {lengths[c]}" for c in dict.fromkeys(p[0] for p in places)]


def test_query_prints_columns_and_csv(capsys, output):
    _, out, _ = run(capsys, "query", output, "--columns", "end, contig", "--limit", 3, "--format", "csv")
    table = jobs.query(output, limit=3)
    assert list(csv.reader(out.splitlines())) == [
        ["end", "contig"],
        *([str(row["end"]), row["contig"]] for row in table.to_pylist()),
    ]


def test_query_runs_sql(capsys, output):
    code, out, _ = run(
        capsys, "query", output, "--sql", "SELECT strand, count(*) AS n FROM candidates GROUP BY 1 ORDER BY 1"
    )
    table = rows(output)
    counts = {strand: table["strand"].to_pylist().count(strand) for strand in "+-"}
    assert (code, out) == (0, f"strand\tn\n+\t{counts['+']}\n-\t{counts['-']}\n")


@pytest.mark.parametrize("file_format", ["tsv", "csv", "table"])
def test_a_reader_that_has_seen_enough_is_no_error(output, file_format):
    sql = "'SELECT range FROM range(3000000)'"
    head = "set -o pipefail; {} | head -n 1 | tr -d '\\r'".format(
        " ".join(command("query", output, "--format", file_format, "--sql", sql))
    )
    done = subprocess.run(["bash", "-c", head], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["range"], "")


def test_compare_prints_the_keys_of_the_contract(capsys, output, tmp_path):
    best = rows(output).to_pylist()[3]
    known = tmp_path / "known.bed"
    known.write_text(f"c\t{best['start']}\t{best['end']}\tk\t0\t{best['strand']}\nc\t0\t60\tmissed\t0\t+\n")
    code, out, _ = run(capsys, "compare", output, known, "--json")
    found = json.loads(out)
    assert code == 0
    assert list(found) == [
        "n_known",
        "n_recovered",
        "n_candidates",
        "average_precision",
        "top",
        "recall_at_fp_per_mb",
        "n_outside",
        "trained_on",
        "model",
    ]
    assert list(found["top"]) == ["50", "100", "200", "500"]
    assert list(found["recall_at_fp_per_mb"]) == ["0.1", "1", "10"]
    assert (found["n_known"], found["n_recovered"], found["n_candidates"]) == (2, 1, rows(output).num_rows)
    assert found == jobs.compare(output, known).as_json()
    assert found["model"] == rows(output)["model"][0].as_py()
    assert run(capsys, "compare", output, known, "--missed") == (0, "c\t0\t60\tmissed\t0\t+\n", "")
    code, out, _ = run(capsys, "compare", output, known)
    assert "recovered            1 (50.0 %)" in out
    assert out.splitlines()[-1] == f"model                {found['model']}"


def test_missed_loci_are_lines_of_bed(capsys, output, tmp_path):
    """Whatever GFF3 has for names: blanks become spaces, and what BED cannot hold is refused."""
    known = tmp_path / "known.gff3"
    line = "{}\t.\tpre_miRNA\t1\t60\t.\t+\t.\tID=a%09b%0Ac\n"
    known.write_text(line.format("c"))
    assert run(capsys, "compare", output, known, "--missed") == (0, "c\t0\t60\ta b c\t0\t+\n", "")
    known.write_text(line.format("c") + line.format("%23c"))
    code, _, err = run(capsys, "compare", output, known, "--missed")
    assert code == 2
    assert "contig #c: BED cannot hold it" in err


def test_score_prints_one_line_a_sequence(capsys, labelled, model):
    code, out, _ = run(capsys, "score", labelled[0], "--model", model)
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert lines[0] == ["id", "score", "mfe", "structure", "length", "model"]
    assert {line[5] for line in lines[1:]} == {load_model(model).label}
    sequences = [text.strip() for text in labelled[0].read_text().split("\n") if text and text[0] != ">"]
    folded = fold(sequences)
    scores = load_model(model).score(sequences, folded.structures)
    assert [line[0] for line in lines[1:]] == [f"pos{i}" for i in range(30)]
    assert [float(line[1]) for line in lines[1:]] == pytest.approx(scores.tolist(), abs=1e-6)
    assert [line[3] for line in lines[1:]] == folded.structures
    code, out, _ = run(capsys, "score", labelled[0], "--model", model, "--format", "json")
    assert [row["length"] for row in json.loads(out)] == [60] * 30
    assert jobs.score(labelled[0], model=model)["id"].to_pylist() == [f"pos{i}" for i in range(30)]


def test_score_prints_what_else_a_model_predicts(capsys, labelled, monkeypatch):
    """A model with a calibration, one that predicts mature sequences, one with both."""
    from mirsweep import model as package

    class Foreseeing:
        max_length, label = 400, "foreseeing:0"

        def __init__(self, *what):
            self.what = what

        def predict(self, sequences, structures):
            n = len(sequences)
            ends = (np.full(n, at, np.int16) for at in (1, 22, -1, -1))
            is_5p, sure = np.arange(n) % 2 == 0, np.full(n, 0.75, np.float32)
            arms = Arms(*ends, is_5p, is_5p, sure, sure, sure)
            rates, arms = (
                value if name in self.what else None for name, value in (("rate", np.full(n, 0.5)), ("arms", arms))
            )
            return Prediction(np.zeros(n, np.float32), rates, arms)

    base = ["id", "score", "mfe", "structure", "length"]
    found = ["1", "22", "", "", "5p", "5p", "0.75", "0.75", "0.75"]
    for what, names, values in (
        (["rate"], ["expected_fp_per_mb"], ["0.5"]),
        (["arms"], list(ARM_COLUMNS), found),
        (["rate", "arms"], ["expected_fp_per_mb", *ARM_COLUMNS], ["0.5", *found]),
    ):
        monkeypatch.setattr(package, "load_model", lambda name, device, what=what: Foreseeing(*what))
        code, out, _ = run(capsys, "score", labelled[0], "--model", "x")
        lines = [line.split("\t") for line in out.splitlines()]
        assert (code, lines[0], len(lines)) == (0, [*base, *names, "model"], 31)
        assert lines[1][5:] == [*values, "foreseeing:0"]
        assert jobs.score(labelled[0], model="x").column_names == [*base, *names, "model"]


def test_train_then_evaluate(capsys, labelled, tmp_path):
    path = tmp_path / "own.safetensors"
    options = ["--epochs", 3, "--batch-size", 16, "--seed", 1, "--licence", "CC0", "--device", "cpu"]
    code, out, err = run(capsys, "train", *labelled, "-o", path, *options)
    assert (code, out) == (0, "")
    assert "epoch 3 of 3: loss" in err
    card = json.loads(path.with_suffix(".json").read_text())
    assert (card["name"], card["licence"], card["protocol"]["n_epochs"]) == ("own", "CC0", 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["own.json", "own.safetensors"]
    code, out, err = run(capsys, "evaluate", "--model", path, *labelled, "--json")
    found = json.loads(out)
    measures = ["n_pos", "n_neg", "SE", "SP", "PPV", "F", "g_mean", "AUROC", "AUPR"]
    assert list(found) == [*measures, "model", "n_trained_on"]
    assert found["n_trained_on"] == 60
    assert "was trained on 60 of these 60 sequences" in err
    assert (found["n_pos"], found["n_neg"]) == (30, 30)
    assert found == jobs.evaluate(*labelled, model=path)._asdict()
    assert found["model"] == f"own:{card['digest'][:12]}"
    text = run(capsys, "evaluate", "--model", path, *labelled)[1]
    assert "AUROC         " in text
    assert f"model         {found['model']}\n" in text


def test_all_commands_score_with_the_same_model_and_name_it(capsys, tmp_path):
    """let-7 gets one score, whoever is asked."""
    fasta = tmp_path / "let7.fa"
    fasta.write_text(f">let-7\n{LET_7}\n")
    structure = fold([LET_7]).structures
    expected, label = load_model().score([LET_7], structure)[0], load_model().label
    assert label.startswith("genome:")
    (row,) = json.loads(run(capsys, "score", fasta, "--format", "json")[1])
    assert (row["score"], row["model"]) == (pytest.approx(expected, abs=1e-6), label)
    assert json.loads(run(capsys, "evaluate", fasta, fasta, "--json")[1])["model"] == label
    assert jobs.score(fasta)["model"].to_pylist() == [label]
    assert jobs.evaluate(fasta, fasta).model == label
    (row,) = jobs.explain(fasta).to_pylist()
    assert (row["score"], row["model"]) == (pytest.approx(expected, abs=1e-6), label)
    assert jobs.scan(fasta, output=tmp_path / "out", local=True, quiet=True).run["model"]["label"] == label


def test_former_spellings_work_and_are_hidden(genome, model, tmp_path, capsys):
    spellings = {"new": ["--fold-engine", "vienna", "--no-nested"], "old": ["--folder", "vienna", "--no-alternatives"]}
    for name, asked in spellings.items():
        assert main(["scan", str(genome), "-o", str(tmp_path / name), "--model", str(model), "--quiet", *asked]) == 0
        params = json.loads((tmp_path / name / "run.json").read_text())["parameters"]
        assert (params["fold_engine"], params["nested"]) == ("vienna", False)
    assert_same_rows(tmp_path / "new", tmp_path / "old")
    assert main(["scan", "--help"]) == 0
    assert main(["scan", str(genome), "-o", str(tmp_path / "x"), "--folder", "guess"]) == 2
    said = capsys.readouterr()
    assert "--fold-engine" in said.out
    assert "--fold-engine" in said.err
    assert "--folder" not in said.out + said.err
    assert "alternatives" not in said.out


def all_options() -> list[tuple[str, str]]:
    found = []
    for name in cli.list_commands(None):
        own = cli.get_command(None, name)
        found.append((name, f"mirsweep {name}"))
        for parameter in own.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                former = getattr(parameter, "former", ())
                spellings = [option for option in (*parameter.opts, *parameter.secondary_opts) if option not in former]
                found += [(name, option) for option in spellings if option.startswith("--")]
    return found


@pytest.mark.parametrize(("name", "what"), all_options())
def test_every_command_and_option_is_documented(name, what):
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", DOCS.read_text(), re.M | re.S)
    assert section, f"docs/cli.md has no section {name}"
    assert re.search(rf"{re.escape(what)}\b", section[1])


def test_documented_options_exist():
    text = DOCS.read_text()
    known = {option for _, option in all_options()} | {"--help", "--version"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= known
