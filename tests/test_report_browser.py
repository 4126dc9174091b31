"""The page of a scan in a real Chromium: it sorts, filters, opens hairpins, and can be used by everybody."""

import csv
import json
import time

import pytest

from helpers_browser import CHROMIUM, Browser
from helpers_jobs import scan, slice_bases, write_fasta
from mirsweep import query, report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
HOSTILE = "</script><script>document.title='taken'</script><img/src=x/onerror=document.title='taken'>'\"&\u2028`"
WAYS = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def output(folder):
    """A scan with a contig of a hostile name, beside known precursors of hostile names."""
    records = {"c": slice_bases(1_700_000, 1_799_000), HOSTILE: slice_bases(1_795_500, 1_797_500)}
    out = scan(write_fasta(folder / "g.fa", records), output=folder / "out", local=True, quiet=True).output
    rows = query(out, loci=True, sort="score", limit=4).to_pylist()
    lines = [f"{r['contig']}\t{r['start']}\t{r['end']}\tmir-{i}<b>&\t0\t{r['strand']}\n" for i, r in enumerate(rows)]
    (folder / "known.bed").write_text("".join(lines))
    report(out, known=folder / "known.bed", browsers=["igv", "ucsc:ce2"])
    return out


@pytest.fixture(scope="module")
def best(output):
    return query(output, loci=True, sort="score", limit=500).to_pylist()


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture
def page(browser, output):
    browser.open((output / "report.html").as_uri())
    return browser


def shown(page) -> list[str]:
    """Places of the rows of the table, as the page shows them."""
    return page.run("[...document.querySelectorAll('#table tr[data-i] button.open')].map(b => b.textContent)")


def place(row) -> str:
    return f"{row['contig']}:{row['start'] + 1:,}-{row['end']:,}"


def enter(page, field: str, text: str) -> None:
    """Fill in a field as a reader does: the page hears of it."""
    page.run(
        f"(f => {{ f.value = {json.dumps(text)}; f.dispatchEvent(new Event('input', {{bubbles: true}}));"
        f" f.dispatchEvent(new Event('change', {{bubbles: true}})); }})(document.getElementById('{field}'))"
    )


def test_it_opens_without_a_request_or_a_complaint(page, output):
    assert page.requests == [(output / "report.html").as_uri()]
    assert page.complaints == []
    for name in page.run("[...document.querySelectorAll('.chart')].map(c => c.id)"):
        assert page.run(f"document.querySelectorAll('#{name} svg path').length") > 5, name
    assert page.run("document.querySelectorAll('.chart').length") == 6


def test_the_policy_stops_what_a_hole_would_let_in(page):
    page.run(
        "(s => { s.textContent = 'window.taken = 1'; document.body.append(s); })(document.createElement('script'))"
    )
    assert page.run("window.taken") is None
    assert page.run("fetch('https://example.org/').then(() => 'sent', () => 'stopped')") == "stopped"
    page.run("document.body.setAttribute('onclick', 'window.taken = 1'); document.body.click()")
    assert page.run("window.taken") is None
    assert len(page.complaints) >= 2


def test_hostile_names_are_shown_and_do_nothing(page, best):
    assert page.run("document.title").startswith("g ")
    assert page.run("document.images.length") == 0
    assert any(
        text.startswith(HOSTILE) for text in page.run("[...document.querySelectorAll('.open')].map(b=>b.textContent)")
    )
    names = page.run("[...document.querySelectorAll('#known tbody th')].map(t => t.textContent)")
    assert "mir-0<b>&" in names


def test_it_sorts(page, best):
    first = shown(page)
    assert first == [place(row) for row in best[:25]]
    sort = "document.querySelector('#table th[data-key=length] button').click()"
    page.run(sort)
    longest = sorted(best, key=lambda row: (row["start"] - row["end"], best.index(row)))[:25]
    assert shown(page) == [place(row) for row in longest]
    assert page.run("document.querySelector('#table th[aria-sort]').getAttribute('aria-sort')") == "descending"
    page.run(sort)
    assert page.run("document.querySelector('#table th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    shortest = min(best, key=lambda row: row["end"] - row["start"])
    assert shown(page)[0] == place(shortest)
    page.run("document.querySelector('#table th[data-key=cluster] button').click()")
    none_last = page.run("[...document.querySelectorAll('#table tr[data-i]')].map(r => r.lastElementChild.textContent)")
    n_in_clusters = sum(row["cluster"] is not None for row in best)
    assert [text != "\u2013" for text in none_last] == [True] * min(25, n_in_clusters) + [False] * max(
        0, 25 - n_in_clusters
    )


def test_pages_of_the_table(page, best):
    page.run("document.getElementById('next').click()")
    assert shown(page) == [place(row) for row in best[25:50]]
    assert page.run("document.getElementById('page').textContent").startswith("Page 2 of ")
    enter(page, "size", "500")
    assert len(shown(page)) == len(best)
    assert page.run("document.getElementById('next').disabled && document.getElementById('previous').disabled")


def test_it_filters(page, best):
    enter(page, "size", "500")
    row = best[3]
    wanted = {
        "c:99,000-99,999": [r for r in best if r["contig"] == "c" and r["start"] < 99_999 and r["end"] >= 99_000],
        row["sequence"][10:40].replace("U", "T").lower(): [r for r in best if row["sequence"][10:40] in r["sequence"]],
        "mir-2": [best[2]],
        f"cluster:{best[0]['cluster'] + 1}": [r for r in best if r["cluster"] == best[0]["cluster"]],
        row["locus"].split()[0]: [r for r in best if row["locus"].split()[0].lower() in r["locus"].lower()],
        "nothing of the kind": [],
    }
    for text, rows in wanted.items():
        enter(page, "search", text)
        assert shown(page) == [place(r) for r in rows], text
        n = page.run("document.getElementById('shown').textContent")
        assert n == f"{len(rows)} of {len(best)} loci"
    page.run("document.getElementById('controls').reset()")
    page.wait(f"document.querySelectorAll('#table tr[data-i]').length === {len(best)}")
    enter(page, "strand", "-")
    assert shown(page) == [place(r) for r in best if r["strand"] == "-"]
    enter(page, "score", "0.5")
    assert shown(page) == [place(r) for r in best if r["strand"] == "-" and r["locus_score"] >= 0.5]
    page.run("document.getElementById('controls').reset()")
    page.wait(f"document.querySelectorAll('#table tr[data-i]').length === {len(best)}")
    enter(page, "level", "1")
    assert shown(page) == [place(r) for r in best if r["locus_fp_per_mb"] <= 1]


def test_a_hairpin_opens_by_mouse_and_by_keyboard(page, best):
    assert page.run("document.querySelectorAll('tr.opened').length") == 1  # the best one is open
    assert page.run("document.querySelectorAll('svg.hairpin').length") == 1  # and no other is in the page
    box = page.run(
        "(b => { b.scrollIntoView({block: 'center', behavior: 'instant'}); const r = b.getBoundingClientRect();"
        " return [r.x + r.width / 2, r.y + r.height / 2]; })(document.querySelector('tr[data-i=\"2\"] button.open'))"
    )
    page.click(*box)
    assert page.run("document.querySelector('tr[data-i=\"2\"] button.open').getAttribute('aria-expanded')") == "true"
    letters = "[...document.querySelectorAll('#opened-2 svg .letters')].map(t => t.textContent).join('')"
    assert sorted(page.run(letters)) == sorted(best[2]["sequence"])
    assert page.run("document.querySelector('#opened-2 pre').textContent").split() == [
        best[2]["sequence"],
        best[2]["structure"],
    ]
    links = page.run("[...document.querySelectorAll('#opened-2 a.button')].map(a => [a.textContent, a.href])")
    assert [name for name, _ in links] == ["Show in IGV", "Show in UCSC"]
    start, end = best[2]["start"] + 1, best[2]["end"]
    assert all(address.endswith(f":{start}-{end}") for _, address in links)

    page.run("document.querySelector('tr[data-i=\"3\"] button.open').focus()")
    page.press("Enter", 13)
    page.wait("document.getElementById('opened-3')")
    assert page.run("document.activeElement.closest('tr').dataset.i") == "3"
    page.press("Enter", 13)
    page.wait("!document.getElementById('opened-3')")
    page.run("document.querySelector('#table th[data-key=mfe] button').click()")
    page.run("document.querySelector('#table th[data-key=rank] button').click()")
    assert (
        page.run("document.getElementById('opened-2').previousElementSibling.dataset.i") == "2"
    )  # stays beside its row


def test_the_shown_rows_can_be_saved(page, best, tmp_path):
    page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    enter(page, "strand", "-")
    chosen = [row for row in best if row["strand"] == "-"]
    for button in ("tsv", "fasta"):
        page.run(f"document.getElementById('{button}').click()")
    files = [tmp_path / "loci.tsv", tmp_path / "loci.fa"]
    deadline = time.monotonic() + 30
    while not all(path.exists() for path in files):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with open(files[0], newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["locus"] for row in rows] == [row["locus"] for row in chosen]
    assert [float(row["locus_score"]) for row in rows] == pytest.approx([r["locus_score"] for r in chosen], rel=1e-5)
    fasta = files[1].read_text("utf-8").rstrip("\n").split("\n")
    assert fasta[1::2] == [row["sequence"] for row in chosen]


def test_sequence_and_structure_can_be_copied(page, best):
    for name in ("sequence", "structure"):
        page.run(
            "navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); };"
            f"document.querySelector('#opened-0 [data-copy={name}]').click()"
        )
        page.wait(f"window.copied === {json.dumps(best[0][name])}")
        page.wait("document.querySelector('#opened-0 .copied').textContent === 'Copied.'")


def test_a_tick_of_the_map_opens_its_locus(page, best):
    page.run("document.getElementById('places').scrollIntoView({behavior: 'instant'})")
    box = page.run(
        "(c => { const t = [...c.querySelectorAll('.mark-rect path')].filter(p => p.__data__.datum.rank === 4)[0];"
        " const r = t.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })"
        "(document.getElementById('chart-contigs'))"
    )
    page.click(*box)
    page.wait("document.getElementById('opened-3')")
    assert page.run("document.activeElement.closest('tr').dataset.i") == "3"


def test_a_known_precursor_leads_to_its_locus(page):
    page.run("[...document.querySelectorAll('#known button.jump')][1].click()")
    page.wait("document.getElementById('opened-1')")


def test_themes(browser, output):
    address = (output / "report.html").as_uri()
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.open(address, dark=True)
    dark = browser.run(paper)
    browser.open(address)
    light = browser.run(paper)
    assert light == "rgb(255, 255, 255)" != dark
    axis = "getComputedStyle(document.querySelector('#chart-scores .role-axis-title text')).fill"
    ink = browser.run(axis)
    for theme, wanted in (("light", light), ("dark", dark), ("automatic", light)):
        browser.run("document.getElementById('theme').click()")
        assert browser.run("document.getElementById('theme').textContent") == f"Theme: {theme}"
        assert browser.run(paper) == wanted
        assert (browser.run(axis) == ink) == (wanted == light)  # charts follow


@pytest.mark.parametrize("way", WAYS)
def test_axe_finds_nothing_serious(browser, output, way):
    """With hairpins and all details open."""
    files = pytest.importorskip("importlib.resources").files(pytest.importorskip("axe_core_python"))
    browser.open((output / "report.html").as_uri(), **WAYS[way])
    browser.run(f"{(files / 'axe.min.js').read_text()};0")
    browser.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    browser.run("[...document.querySelectorAll('button.open')].slice(1, 4).forEach(each => each.click())")
    found = json.loads(
        browser.run(
            "axe.run().then(r => JSON.stringify(r.violations.map(v => [v.id, v.impact, v.nodes.map(n => n.html)])))"
        )
    )
    assert [each for each in found if each[1] in ("serious", "critical")] == []


def test_on_a_phone_only_boxes_scroll_sideways(browser, output):
    browser.open((output / "report.html").as_uri(), **WAYS["phone"])
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("getComputedStyle(document.querySelector('#table th.spare')).display") == "none"
    facts = browser.run("document.querySelector('#opened-0 .facts').innerText").lower()
    assert "energy" in facts  # what the table leaves out is told there
    overflowing = browser.run(
        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 391"
        " && !e.closest('.scroll, .drawing, .strings')).map(e => e.outerHTML.slice(0, 80))"
    )
    assert overflowing == []


def test_on_paper_there_are_no_controls_and_ink_is_dark(browser, output):
    browser.open((output / "report.html").as_uri(), dark=True, media="print")
    assert browser.run("getComputedStyle(document.getElementById('controls')).display") == "none"
    assert browser.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_scripts_the_table_can_be_read(browser, output, best):
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.send("Page.navigate", url=(output / "report.html").as_uri())
        deadline = time.monotonic() + 30
        while browser.run("document.querySelectorAll('#table tbody tr').length") != len(best):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert browser.run("document.getElementById('controls').hidden")
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


def test_a_draft_assembly_of_thousands_of_contigs(browser, folder):
    piece = slice_bases(1_795_500, 1_797_500)
    records = {f"contig_{i}": piece[(i * 37) % 1500 :][: 400 + i % 90] for i in range(2000)}
    out = scan(write_fasta(folder / "draft.fa", records), output=folder / "draft", local=True, quiet=True).output
    browser.open(report(out, attention=False).as_uri())
    assert browser.complaints == []
    assert browser.run("document.querySelectorAll('#chart-contigs .role-axis-label text').length") >= 25
    assert "1,975 shorter ones" in browser.run("document.getElementById('places').textContent")
