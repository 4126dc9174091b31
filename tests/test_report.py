"""The page of a scan: what it tells, that it is the scan's own, and that nothing else runs in it or is loaded."""

import base64
import hashlib
import html
import importlib
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import altair
import numpy as np
import pyarrow as pa
import pytest
from jsonschema import ValidationError

from helpers_jobs import scan, slice_bases, write_fasta
from mirsweep import annotate, compare, query, read_loci, report
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.report.browsers import BROWSERS, browser_of, link
from mirsweep.jobs.report.charts import precision_recall
from mirsweep.jobs.report.choices import Choices, choices_of
from mirsweep.jobs.report.columns import columns_of, side_columns
from mirsweep.jobs.report.content import gather
from mirsweep.jobs.report.contig_map import MOST_CONTIGS, contig_map
from mirsweep.jobs.report.hairpin import hairpin_of
from mirsweep.jobs.report.known import REASONS
from mirsweep.jobs.report.page import as_json
from mirsweep.jobs.report.pictures import picture
from mirsweep.jobs.report.report import page_of, renew
from mirsweep.jobs.report.trust import trust_of
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.dataset import open_loci
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA, SCORE_BINS, by_score
from mirsweep.jobs.results.side_tables import write_side_table
from mirsweep.scanner import InputError

HOSTILE = "</script><img/src=x>'\"&\u2028`|${1}{{7*7}}"
"""A contig's name that would end a script, open a tag, end an attribute, break a line of a script, or be a template."""
CLUSTER = slice_bases(1_795_500, 1_797_500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def output(folder):
    """A scan of three contigs, one of a hostile name, with decoys."""
    from mirsweep import scan as scan_with_decoys

    genome = write_fasta(
        folder / "genome.fa", {"c": slice_bases(1_780_000, 1_799_000), HOSTILE: CLUSTER, "short": "ACGT"}
    )
    scan_with_decoys(genome, output=folder / "out", local=True, quiet=True)
    return folder / "out"


@pytest.fixture(scope="module")
def page(output):
    """The page that the scan has left."""
    return (output / "report.html").read_text("utf-8")


class Read(HTMLParser):
    """Tags with their attributes, and the text of each kind of element."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.handle_data(" ")  # cells stand apart
        self.open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def attributes(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def table_rows(page: str, label: str) -> list[list[str]]:
    """Texts of the cells of a table, header left out, by what a screen reader calls the box around it."""
    (table,) = re.findall(rf'aria-label="{label}" tabindex="0">\s*<table.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    cells = [re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    return [[html.unescape(re.sub(r"<.*?>", "", cell)).strip() for cell in row] for row in cells]


def block(page: str, name: str):
    """A data block of the page."""
    (text,) = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_the_table_is_the_best_loci_in_order(output, page):
    best = query(output, loci=True, sort="score", limit=500)
    data = block(page, "data")
    column = {name: i for i, name in enumerate(data["columns"])}
    assert set(best.column_names) <= set(column)
    assert [row[column["locus"]] for row in data["rows"]] == best["locus"].to_pylist()
    scores = [row[column["locus_score"]] for row in data["rows"]]
    assert scores == pytest.approx(best["locus_score"].to_pylist(), rel=1e-5)
    shown = [html.unescape(text) for text in re.findall(r'aria-expanded="false">(.*?)</button>', page)]
    wanted = [f"{r['contig']}:{r['start'] + 1:,}-{r['end']:,}" for r in best.to_pylist()]
    assert shown == wanted
    assert page.count('<template id="locus-') == best.num_rows == page.count('<svg class="hairpin')


def test_numbers_of_the_scan_are_told(output, page):
    run = json.loads((output / "run.json").read_text())
    read = Read(page)
    facts = dict(zip(read.texts["dt"], read.texts["dd"], strict=True))
    assert facts["loci of any score"] == f"{run['loci']['n_loci']:,}"
    assert facts["candidate hairpins"] == f"{run['counts']['n_candidates']:,}"
    assert facts["scanned, both strands"] == "21.0 kb"  # a small genome, in kb
    assert facts["model"] == run["model"]["label"]
    assert facts["sha256 of the weights"] == run["model"]["digest"]
    assert facts["energy threshold"] == "\u22127.5 kcal/mol"
    assert facts["viennarna"] == run["versions"]["viennarna"]
    assert "genome.fa" in facts["genome"]
    rows = [row.split() for row in read.texts["tr"]]
    for name in ("strict", "balanced", "sensitive"):
        (row,) = [row for row in rows if row[:1] == [name]]
        assert str(run["loci"][name]) in row


def test_error_rates_are_those_of_the_loci(output):
    run, loci = json.loads((output / "run.json").read_text()), read_loci(output)
    trust = trust_of(loci, run)
    for number, (name, limit) in enumerate((("strict", 0.05), ("balanced", 0.1), ("sensitive", 0.5))):
        level, passed = trust.levels[number], loci["q_value"].to_numpy() <= np.float32(limit)
        assert (level.name, level.n_loci) == (name, passed.sum())
        assert level.n_loci == run["loci"][name]
        assert level.n_decoys == pytest.approx(run["loci"]["decoys"][name] * trust.scale)
        assert ((trust.level_of <= number) == passed).all()
        if level.n_loci:
            rate = loci.filter(passed)["fp_per_mb"].to_numpy().max()
            assert level.n_false == pytest.approx(rate * run["counts"]["n_scanned"] / 1e6)
            assert level.low <= level.n_false <= level.high


def test_a_picture_of_loci_has_their_error_rates(output, folder):
    known = folder / "known.bed"
    known.write_text(f"c\t{read_loci(output)['start'][0]}\t{read_loci(output)['end'][0]}\tmine\t0\t+\n")
    compare(output, known, loci=True, plot=folder / "curves.svg")
    assert "expected to be false (q-value)" in (folder / "curves.svg").read_text()


def test_numbers_of_loci_go_to_multiqc(output, folder):
    report(output, path=folder / "page.html", multiqc=folder / "g_mqc.json", attention=False)
    told, run = json.loads((folder / "g_mqc.json").read_text()), json.loads((output / "run.json").read_text())
    (row,) = told["data"].values()
    assert list(told["data"]) == ["genome"]
    assert {name: row[name] for name in ("strict", "balanced", "sensitive", "n_loci")} == {
        name: run["loci"][name] for name in ("strict", "balanced", "sensitive", "n_loci")
    }
    assert row.keys() == told["headers"].keys()
    with pytest.raises(InputError, match=r"names end in _mqc\.json"):
        report(output, path=folder / "page.html", multiqc=folder / "g.json")


def test_decoys_are_counted_by_score(output):
    told = json.loads((output / "run.json").read_text())["loci"]["decoys"]
    assert len(told["by_score"]) == SCORE_BINS
    assert sum(told["by_score"]) == told["n_loci"]
    assert by_score(np.array([0.0, 0.019, 0.02, 1.0])).tolist() == [2, 1, *[0] * (SCORE_BINS - 3), 1]


def test_without_decoys_the_page_says_that_the_rates_are_of_other_genomes(folder):
    genome = write_fasta(folder / "bare.fa", {"c": CLUSTER})
    scan(genome, output=folder / "bare", local=True, quiet=True)
    text = report(folder / "bare", attention=False).read_text("utf-8")
    assert "No decoys were scanned" in text
    assert "per Mb" in text
    assert "Decoys in as many bases" not in text
    assert 'class="look look' not in text


def test_a_scan_without_loci_has_a_page(folder):
    genome = write_fasta(folder / "none.fa", {"c": "ACCA" * 500})
    scan(genome, output=folder / "none", local=True, quiet=True)
    text = report(folder / "none").read_text("utf-8")
    assert "The scan found no locus." in text
    assert block(text, "data")["rows"] == []
    assert block(text, "charts").keys() == {"contigs"}


def test_hostile_names_are_text_everywhere(page):
    read = Read(page)
    assert not read.attributes("img")
    scripts = [attributes.get("type") for attributes in read.attributes("script")]
    assert scripts == ["application/json", "application/json", None, None, None, None]
    names = [text for text in read.texts["button"] if text.startswith(f"{HOSTILE}:")]
    assert names
    assert any(row[1] == HOSTILE for row in block(page, "data")["rows"])
    labels = [attributes["aria-label"] for attributes in read.attributes("svg")]
    assert any(HOSTILE in label for label in labels)
    addresses = [attributes["href"] for attributes in read.attributes("a") if "localhost" in attributes["href"]]
    assert any("%3C%2Fscript%3E" in address for address in addresses)
    assert not any(letter in address for address in addresses for letter in "<>\"' {}")


def test_nothing_but_the_page_s_own_scripts_and_style_may_run(page):
    read = Read(page)
    (policy,) = [a["content"] for a in read.attributes("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert (rules["default-src"], rules["base-uri"], rules["form-action"]) == ("'none'",) * 3
    assert "unsafe" not in policy
    assert "http" not in policy

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert [digest(script) for script in scripts] == rules["script-src"].split()
    assert [digest(style) for style in re.findall(r"<style>(.*?)</style>", page, re.DOTALL)] == [rules["style-src"]]
    for _, attributes in read.tags:
        assert not {"style", "src", "srcset", "onclick", "onload", "onerror"} & attributes.keys()
    assert [attributes["href"] for attributes in read.attributes("link")] == ["data:,"]
    assert "@import" not in page
    assert "url(" not in re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]


@pytest.mark.parametrize("value", ["</script>", "<!--<script>", "\u2028\u2029", "'\"&", {"a": [None, 1.5, "\x00"]}])
def test_json_in_the_page_ends_no_script_and_is_the_same(value):
    text = str(as_json(value))
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&'") & set(text)


def test_a_picture_shows_each_base_pair_and_arm(output):
    row = query(output, loci=True, sort="score", limit=1).to_pylist()[0]
    attention = np.zeros(len(row["sequence"]))
    attention[[3, 5]] = 1.0, 0.1
    drawn = Read(str(picture(hairpin_of(row, attention), "a <hairpin>")))
    ways = {attributes["class"]: attributes["d"] for attributes in drawn.attributes("path")}
    letters = [(a, text) for a, text in zip(drawn.attributes("text"), drawn.texts["text"], strict=True)]
    assert "".join(sorted("".join(t for a, t in letters if a["class"].startswith("letters")))) == "".join(
        sorted(row["sequence"])
    )
    assert all(len(a["x"].split()) == len(t) for a, t in letters if a["class"].startswith("letters"))
    assert ways["pairs"].count("l") == row["n_pairs"]
    for arm in ("5p", "3p"):
        (way,) = [way for name, way in ways.items() if name.startswith(f"arm{arm}")]
        assert way.count("h0") == row[f"arm_{arm}_end"] - row[f"arm_{arm}_start"]
    assert [name for name in ways if name.startswith("look")] == ["look look1", "look look5"]
    assert drawn.attributes("svg")[0]["aria-label"] == "a <hairpin>"


@pytest.mark.parametrize("has_side_table", [False, True])
def test_the_page_of_500_long_hairpins_stays_below_5_mb(output, has_side_table):
    """The largest page that can be: 500 loci of 400 nt with all that can be known of them."""
    opened = open_loci(output)
    row = query(output, loci=True, sort="score", limit=1).to_pylist()[0]
    long = {"sequence": "ACGU" * 100, "structure": "(" * 190 + "." * 20 + ")" * 190, "end": row["start"] + 400}
    best = pa.Table.from_pylist([row | long] * 500, schema=LOCI_SCHEMA)
    if has_side_table:
        for number in range(15):
            best = best.append_column(f"a_column_of_a_side_table_{number}", pa.array(["a name & <more>"] * 500))
    shades = [np.random.default_rng(0).random(400)] * 500
    browsers = [browser_of(name) for name in BROWSERS]
    text = page_of(gather(opened, opened.run, best, attention=shades, browsers=browsers), opened.run)
    n_drawn = text.count('<svg class="hairpin long"')
    assert len(text.encode()) < 5_000_000
    assert (len(text.encode()) > 3_500_000) or n_drawn == 500
    assert 20 < n_drawn < 500
    assert "There is no room in this page for its hairpin" in text


def test_columns_of_side_tables_are_shown_where_they_tell_something():
    added = {
        "weight": pa.array([2.5, None]),
        "family": pa.array(["mir-1", None]).dictionary_encode(),
        "repeat": pa.nulls(2, pa.string()),
        "reads": pa.array([12345, 0]),
        "hits": pa.array([["a", "b"], []]),
        "excluded": pa.array([False, False]),
        "known": pa.array([None, "mir-7"]),
    }
    plain = pa.Table.from_pylist([{"locus": "a"}, {"locus": "b"}], schema=LOCI_SCHEMA)
    loci = plain
    for name, values in added.items():
        loci = loci.append_column(name, values)
    assert [field.name for field in side_columns(loci)] == ["known", "family", "weight", "reads", "hits"]
    labels = [column.label for column in columns_of(loci)]
    assert labels[:6] == ["Place", "Known", "Score", "q-value", "Family", "Reads"]
    assert [column.label for column in columns_of(plain)][:3] == ["Place", "Score", "q-value"]
    by_key = {column.key: column for column in columns_of(loci)}
    assert by_key["family"].text({"family": None}) == "\u2013"
    assert by_key["reads"].text({"reads": 12345}) == "12,345"
    assert (by_key["reads"].is_number, by_key["family"].is_number) == (True, False)


def test_an_annotated_scan_has_its_names_on_the_page(output, folder):
    """Whatever a side table holds: a name that is markup is text."""
    out = folder / "annotated"
    shutil.copytree(output, out)
    best = query(out, loci=True, sort="score", limit=2)
    table = pa.table({"genome": best["genome"], "locus": best["locus"], "name": ["<b>mir-1</b>", None]})
    write_side_table(out, "annotation.parquet", table)
    text = report(out, attention=False).read_text("utf-8")
    assert "&lt;b&gt;mir-1&lt;/b&gt;" in text
    assert "<b>mir-1</b>" not in text
    data = block(text, "data")
    assert [row[data["columns"].index("name")] for row in data["rows"][:2]] == ["<b>mir-1</b>", None]


def test_a_renewed_page_keeps_what_the_one_before_was_made_with(output, folder, capsys):
    out, known = folder / "kept", folder / "kept.bed"
    shutil.copytree(output, out)
    row = query(out, loci=True, sort="score", limit=1).to_pylist()[0]
    known.write_text(bed_line(row["contig"], row["start"], row["end"], row["strand"], "mine"))
    before = report(out, known=known, browsers="ucsc:ce2", attention=False).read_text("utf-8")
    annotate(out, known=known)
    assert f"{out / 'report.html'} is renewed" in capsys.readouterr().err
    after = (out / "report.html").read_text("utf-8")
    for told in ("1 of 1 known precursors", "genome.ucsc.edu"):
        assert told in before
        assert told in after
    assert "look5" not in re.sub("<style>.*?</style>", "", after, flags=re.DOTALL)  # no attention
    columns = [block(text, "data")["columns"] for text in (before, after)]
    assert ["verdict" in each for each in columns] == [False, True]
    annotate(out, known=known, report=False)
    assert (out / "report.html").read_text("utf-8") == after

    known.unlink()
    with pytest.raises(InputError, match=r"kept\.bed: the known precursors of the page before are gone"):
        report(out)
    assert renew(out) is None
    assert "report.html is as before" in capsys.readouterr().err
    assert (out / "report.html").read_text("utf-8") == after
    assert "genome.ucsc.edu" not in report(out, afresh=True, attention=False).read_text("utf-8")
    assert json.loads((out / "run.json").read_text())["page"]["known"] is None


@pytest.mark.parametrize("told", [None, 3, {"known": 3, "browsers": [1], "attention": "yes", "other": 1}])
def test_choices_that_cannot_be_are_the_defaults(told):
    assert choices_of({"page": told}) == Choices()


def test_of_thousands_of_contigs_the_longest_are_drawn_and_the_others_counted():
    lengths = {f"c{i}": 1000 + (i * 7919) % 5000 for i in range(3000)}
    contigs = Contigs.of(("g", *item) for item in lengths.items())
    longest = max(lengths, key=lambda name: lengths[name])
    shortest = min(lengths, key=lambda name: lengths[name])
    rows = [
        {"genome": "g", "contig": name, "start": 5, "end": 95, "strand": "+", "locus": name, "locus_score": 0.9}
        for name in (longest, shortest)
    ]
    best = pa.Table.from_pylist(rows, schema=LOCI_SCHEMA)
    found = contig_map(contigs, best, np.array([True, False]))
    assert len(found.drawn) == MOST_CONTIGS
    assert min(each.length for each in found.drawn) >= sorted(lengths.values())[-MOST_CONTIGS]
    assert (found.n_others, found.n_loci_on_others) == (3000 - MOST_CONTIGS, 1)
    assert found.others_nt + sum(each.length for each in found.drawn) == sum(lengths.values())
    assert {each.name: each.n_loci for each in found.drawn}[longest] == 1
    assert len(json.dumps(found.chart.spec)) < 20_000


def bed_line(contig, start, end, strand, name):
    return f"{contig}\t{start}\t{end}\t{name}\t0\t{strand}\n"


def test_known_precursors_are_found_or_missed_for_a_reason(folder, capsys):
    genome = write_fasta(folder / "known.fa", {"c": slice_bases(900_000, 1_800_000), "poor": "ACCA" * 500})
    out = scan(genome, output=folder / "known", local=True, quiet=True).output
    loci = query(out, loci=True, sort="score").to_pylist()
    best, third = loci[0], loci[2]
    other = {"+": "-", "-": "+"}
    taken = {(row["strand"], place) for row in loci for place in range(row["start"], row["end"])}
    lonely = next(
        row
        for row in query(out).to_pylist()
        if not any((row["strand"], place) in taken for place in range(row["start"], row["end"]))
    )
    one_sided = next(
        row
        for row in loci
        if not query(out, region=f"c:{row['start'] + 1}-{row['end']}", strand=other[row["strand"]]).num_rows
    )
    wanted = [
        ("best", best["start"] + 5, best["end"] - 5, best["strand"], "found"),
        ("third", third["start"], third["end"], third["strand"], "found"),
        ("weak", lonely["start"], lonely["end"], lonely["strand"], "score"),
        ("turned", one_sided["start"], one_sided["end"], other[one_sided["strand"]], "strand"),
        ("larger", best["start"] - 2000, best["end"] + 2000, best["strand"], "boundaries"),
    ]
    lines = [bed_line("c", *each[1:4], each[0]) for each in wanted]
    lines += [bed_line("poor", 500, 590, "+", "absent"), bed_line("other", 5, 90, "+", "elsewhere")]
    (folder / "known.bed").write_text("".join(lines))
    text = report(out, known=folder / "known.bed", attention=False).read_text("utf-8")
    assert "contigs that are not in the scan" in capsys.readouterr().err

    rows = {cells[0]: cells for cells in table_rows(text, "Known precursors one by one")}
    reasons = {name: reason for name, *_, reason in wanted} | {"absent": "hairpin", "elsewhere": "contig"}
    assert {name: cells[-1] for name, cells in rows.items()} == {n: REASONS[r] for n, r in reasons.items()}
    assert [rows["best"][3], rows["third"][3]] == ["1", "3"]
    assert float(rows["weak"][4].strip("()")) == pytest.approx(lonely["score"], abs=6e-4)
    assert list(rows)[:2] == ["best", "third"]
    assert "2 of 7 known precursors (29 %) are among the loci of any score" in text
    result = compare(out, folder / "known.bed", loci=True)
    assert f"average precision of the ranking is {result.average_precision:.3f}" in " ".join(text.split())
    points = block(text, "charts")["precision_recall"]["data"]["values"]
    assert [(p["recall"], p["precision"]) for p in points] == [pytest.approx(each, abs=1e-4) for each in result.curve]

    data = block(text, "data")
    names = [row[data["columns"].index("known")] for row in data["rows"]]
    assert (names[0], names[1], names[2]) == ("best", None, "third")


def test_known_precursors_of_one_of_two_genomes(folder, capsys):
    genomes = [write_fasta(folder / f"{name}.fa", {"c": CLUSTER}) for name in ("one", "two")]
    out = scan(genomes, output=folder / "both", local=True, quiet=True).output
    row = query(out, loci=True, sort="score", limit=1, genome="two").to_pylist()[0]
    (folder / "both.bed").write_text(bed_line("c", row["start"], row["end"], row["strand"], "mine"))
    assert main(["report", str(out), "--known", str(folder / "both.bed"), "--no-attention"]) == 2
    assert "--genome" in capsys.readouterr().err
    report(out, known=folder / "both.bed", genome="two", attention=False)
    data = block((out / "report.html").read_text("utf-8"), "data")
    genome, known = (data["columns"].index(name) for name in ("genome", "known"))
    assert [row[genome] for row in data["rows"] if row[known] == "mine"] == ["two"]


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        ("igv", "http://localhost:60151/goto?locus=c%202:11-20"),
        ("ucsc:ce2", "https://genome.ucsc.edu/cgi-bin/hgTracks?db=ce2&position=c%202:11-20"),
        ("ucsc", "https://genome.ucsc.edu/cgi-bin/hgTracks?db=g%26h&position=c%202:11-20"),
        ("ensembl:Homo_sapiens", "https://www.ensembl.org/Homo_sapiens/Location/View?r=c%202:11-20"),
        ("jbrowse", "http://localhost:3000/?assembly=g%26h&loc=c%202:11..20"),
        ("https://x.org/{genome}?r={contig}:{start}-{end}&s={strand}", "https://x.org/g%26h?r=c%202:11-20&s=-"),
    ],
)
def test_links_lead_to_the_place(asked, address):
    row = {"genome": "g&h", "contig": "c 2", "start": 10, "end": 20, "strand": "-", "locus": "c 2:11-20:-"}
    assert link(browser_of(asked), row) == address


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("javascript:alert(1)//{contig}", "neither an address nor a browser"),
        ("icv", "igv"),
        ("https://x.org/{chromosome}", "has the unknown field {chromosome}"),
        ("https://x.org/", "has no field for the place"),
        ("https://x.org/{contig", "braces"),
        ("https://x.org/{contig!r}", "no format"),
        ("https://x.org/{contig.__class__}", "unknown field"),
    ],
)
def test_addresses_that_lead_nowhere_are_refused(asked, message):
    with pytest.raises(InputError, match=re.escape(message)):
        browser_of(asked)


def test_the_command_writes_the_page_and_tells_where(output, folder, capsys):
    assert main(["report", str(output), "-o", str(folder / "own.html"), "--browser", "ucsc:ce2", "--no-attention"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(folder / "own.html") in printed.err
    text = (folder / "own.html").read_text("utf-8")
    assert "db=ce2&amp;position=" in text
    assert "localhost:60151" not in text


def test_the_page_belongs_to_the_output(output, page, capsys):
    told = json.loads((output / "run.json").read_text())["digests"]["report.html"]
    assert told["bytes"] == len(page.encode())
    assert main(["check", str(output)]) == 0
    (output / "report.html").write_text("other")
    capsys.readouterr()
    assert main(["check", str(output), "--quiet"]) == 1
    assert capsys.readouterr().out.startswith("report.html\t")
    report(output)
    assert main(["check", str(output), "--quiet"]) == 0


def test_the_command_gives_the_page_that_the_scan_has_left(output, page, folder):
    again = report(output, path=folder / "again.html").read_text("utf-8")
    seconds = re.compile(r"<dt>time</dt><dd>[\d,]+ s</dd>")  # a scan's page is written before it ends
    assert seconds.sub("", again) == seconds.sub("", page)


def test_a_scan_leaves_a_page_unless_told_not_to(folder, capsys):
    genome = write_fasta(folder / "small.fa", {"c": CLUSTER})
    for name, options in (("with-page", []), ("without-page", ["--no-report"])):
        asked = ["scan", str(genome), "-o", str(folder / name), "--local", "--decoys", "none", *options]
        assert main(asked) == 0
        told = capsys.readouterr().err
        path = folder / name / "report.html"
        assert path.exists() == (not options)
        assert (f"{path}: to look at in a web browser" in told) == (not options)
        assert main(["check", str(folder / name), "--quiet"]) == 0
        assert main(asked) == 0  # nothing is left to do
        assert "complete already" in capsys.readouterr().err
        assert path.exists() == (not options)


def test_a_damaged_page_is_made_anew(folder, capsys):
    out = folder / "damaged"
    genome = write_fasta(folder / "damaged.fa", {"c": CLUSTER})
    scan(genome, output=out, local=True, quiet=True, report=True)
    sound = (out / "report.html").read_bytes()
    (out / "report.html").write_bytes(sound[:-1])
    assert main(["check", str(out), "--repair", "--quiet"]) == 0
    assert (out / "report.html").read_bytes()[-20:] == sound[-20:]
    (out / "report.html").unlink()
    scan(genome, output=out, local=True, quiet=True, report=True)
    assert "report.html is missing" in capsys.readouterr().err
    assert (out / "report.html").exists()
    scan(genome, output=out, local=True, quiet=True, report=True, overwrite=True, threshold=-20)
    assert "\u221220 kcal/mol" in (out / "report.html").read_text("utf-8")


def test_loci_found_again_renew_the_page_or_remove_it(folder):
    out = folder / "again"
    scan(write_fasta(folder / "again.fa", {"c": CLUSTER}), output=out, local=True, quiet=True, report=True)
    (out / "report.html").write_text("of other loci")
    assert main(["loci", str(out), "--quiet"]) == 0
    assert "<h1>again</h1>" in (out / "report.html").read_text("utf-8")
    assert 'class="look look' in (out / "report.html").read_text("utf-8")
    assert main(["check", str(out), "--quiet"]) == 0
    assert main(["loci", str(out), "--quiet", "--no-report"]) == 0
    assert not (out / "report.html").exists()
    assert main(["check", str(out), "--quiet"]) == 0


def test_what_fails_in_the_page_does_not_cost_the_scan(folder, monkeypatch, capsys):
    def fails(**_: object) -> str:
        raise ValueError("a\nbad day")

    monkeypatch.setattr(importlib.import_module("mirsweep.jobs.report.report"), "render", fails)
    out = folder / "unlucky"
    done = scan(write_fasta(folder / "unlucky.fa", {"c": CLUSTER}), output=out, local=True, quiet=True, report=True)
    assert done.run["loci"]["n_loci"] == read_loci(out).num_rows
    assert "report.html is not written (ValueError: a bad day)" in capsys.readouterr().err
    assert main(["check", str(out), "--quiet"]) == 0


@pytest.mark.slow
def test_a_scan_on_ray_leaves_the_same_page(folder):
    genome = write_fasta(folder / "ray.fa", {"c": slice_bases(1_780_000, 1_799_000)})
    pages = []
    for is_local in (True, False):
        out = folder / f"ray-{is_local}"
        scan(genome, output=out, local=is_local, workers=None if is_local else 1, quiet=True, report=True)
        pages.append(block((out / "report.html").read_text("utf-8"), "data"))
    assert pages[0] == pages[1]


def test_the_page_of_a_model_that_knows_the_genome_says_so(folder):
    from mirsweep.jobs.demo.demo import DATA

    out = scan(DATA / "slice.fa.gz", output=folder / "slice", local=True, quiet=True, report=True).output
    told = " ".join((out / "report.html").read_text("utf-8").split())
    assert "The model was trained on contig chrX_1208000_3008000 of this scan" in told


def test_scans_that_have_no_page_say_why(folder, output, capsys):
    bare = folder / "without"
    scan(folder / "genome.fa", output=bare, local=True, quiet=True, loci=False)
    assert main(["report", str(bare)]) == 2
    assert "mirsweep loci" in capsys.readouterr().err
    assert not (bare / "report.html").exists()
    assert main(["report", str(output), "--browser", "nonesuch"]) == 2


def test_charts_keep_to_the_schema_of_vega_lite(page):
    drawn = block(page, "charts") | {"precision_recall": precision_recall([(0.5, 1.0), (1.0, 0.5)]).spec}
    assert drawn.keys() >= {"contigs", "shares", "scores", "lengths", "energies"}
    for spec in drawn.values():
        altair.LayerChart.from_dict(spec, validate=True)
    drawn["shares"]["layer"][0]["layer"][0]["mark"]["type"] = "curve"
    with pytest.raises(ValidationError):
        altair.LayerChart.from_dict(drawn["shares"], validate=True)


def test_vendored_scripts_are_of_the_version_that_charts_are_written_for(page):
    versions = json.loads((files("mirsweep.jobs.report") / "vega" / "versions.json").read_text())
    assert f"vega-lite {altair.SCHEMA_VERSION.removeprefix('v')}" == versions["vega-lite.js"]
    written_for = {spec["$schema"].rpartition("/")[2] for spec in block(page, "charts").values()}
    assert written_for == {f"v{versions['vega-lite.js'].split()[1].split('.')[0]}.json"}
    for name, version in versions.items():
        text = (files("mirsweep.jobs.report") / "vega" / name).read_text()
        assert "</script" not in text
        assert "<!--" not in text
        assert name == "vega-interpreter.js" or f'"{version.split()[1]}"' in text
    assert "University of Washington" in Path(str(files("mirsweep.jobs.report") / "vega" / "LICENSE")).read_text()
