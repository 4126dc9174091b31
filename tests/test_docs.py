"""The site of the documentation is built without a warning, and what its samples show is what their commands print."""

import re
import shutil
import subprocess
import sys
from itertools import zip_longest

import pytest

from doc_samples import PAGES, ROOT, renewed_pages

DOCS = ROOT / "docs"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def test_the_site_is_built_without_a_warning(tmp_path):
    """A link to a page or heading that is not there is a warning, too."""
    pytest.importorskip("sphinx")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees")]
    done = subprocess.run([*build, str(DOCS), str(tmp_path / "site")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "api.html").read_text()
    assert "mirsweep.jobs.scan" in page
    for page in (tmp_path / "site").glob("*.html"):  # nothing is fetched from elsewhere
        assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', page.read_text()), page.name


def test_every_page_is_in_the_contents():
    listed = set(re.findall(r"^[\w/-]+$", (DOCS / "index.md").read_text(), re.M))
    assert {path.stem for path in DOCS.glob("*.md")} - {"index"} <= listed


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="a sample is of bedtools")
def test_samples_show_what_their_commands_print(tmp_path):
    """``make samples`` writes them anew. Numbers may differ in the third digit: processors round differently."""
    pages = list(renewed_pages(tmp_path))
    assert [str(path.relative_to(ROOT)) for path, _ in pages] == list(PAGES)
    for path, text in pages:
        for shown, printed in zip_longest(path.read_text().splitlines(), text.splitlines()):
            assert _same(shown or "", printed or ""), f"{path.name} shows\n{shown}\nbut the command prints\n{printed}"


def _same(shown: str, printed: str) -> bool:
    numbers = [[float(number) for number in _NUMBER.findall(line)] for line in (shown, printed)]
    words = [re.sub(r"\s+", " ", _NUMBER.sub("#", line)) for line in (shown, printed)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], rel=5e-3, abs=2e-6)


def test_every_link_between_pages_and_files_leads_somewhere():
    """Sphinx checks those of the site; these are of README and the pages as they lie in the repository."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_samples_end_in_a_prompt_that_can_be_copied(page):
    """A command of a sample is on one line, so that it can be copied whole."""
    for block in re.findall(r"^```console\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S):
        assert block.startswith("$ ")
        assert not re.search(r"^\$ .*\\$", block, re.M)
