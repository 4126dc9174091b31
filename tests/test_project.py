"""What stands in several places of the repository says the same in each: versions, addresses, checks."""

import io
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = sorted(path for folder in ("package", "scanner", "model", "jobs") for path in (ROOT / folder).rglob("*.py"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINS = dict(
    line.split(";")[0].strip().lower().replace("_", "-").split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if "==" in line
)


def read_yaml(name: str) -> Any:
    """A YAML file of the repository; its key ``on`` is True to YAML 1.1."""
    return yaml.safe_load((ROOT / name).read_text())


def test_workflows_test_the_pythons_that_the_package_names():
    matrix = read_yaml(".github/workflows/tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    named = [found[1] for line in PROJECT["project"]["classifiers"] if (found := re.search(r":: (3\.\d+)$", line))]
    assert matrix["python"] == named
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"
    assert PROJECT["tool"]["mypy"]["python_version"] == named[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{named[0].replace('.', '')}"
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_what_is_there(path):
    document = yaml.safe_load(path.read_text())
    for job in document["jobs"].values():
        assert ("uses" in job) != ("timeout-minutes" in job), "a job without a limit may hang for six hours"
        if "uses" in job:
            assert "workflow_call" in read_yaml(job["uses"])[True]
        for step in job.get("steps", ()):
            for target in re.findall(r"^make (\w+)", step.get("run", ""), re.MULTILINE):
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_test_runs_every_check():
    needs = re.search(r"^test:(.*)\n\t(.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"lint", "types"} <= set(needs[1].split())
    assert re.search(r"pytest .*--cov", needs[2])
    assert PROJECT["tool"]["coverage"]["run"]["branch"]
    assert PROJECT["tool"]["coverage"]["report"]["fail_under"] >= 80


def test_every_package_for_tests_is_pinned():
    optional = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *(each for group in optional.values() for each in group)]
    names = {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in wanted}
    assert names <= PINS.keys()
    assert f"torch=={PINS['torch']}" in (ROOT / "Makefile").read_text()


def test_hooks_run_what_make_installs():
    for hook in (hook for repo in read_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]):
        program = hook["entry"].split()
        assert program[0].startswith(".venv/bin/") or program == ["make", "types"]
        assert hook["language"] == "system"


def test_citation_names_the_version_and_no_address():
    citation = read_yaml("CITATION.cff")
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert not re.search(r"https?://", (ROOT / "CITATION.cff").read_text())


def test_addresses_of_the_project_stand_in_one_place():
    hosts = {re.match(r"https://[^/]+/[^/]+", address)[0] for address in PROJECT["project"]["urls"].values()}
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CITATION.cff", *(ROOT / "docs").glob("*.md")]
    assert not [path.name for path in pages for host in hosts if host in path.read_text()]


def test_every_line_of_the_threat_model_is_held_by_tests():
    page = (ROOT / "docs" / "security.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert rows
    assert all("::" in row.rsplit("|", 2)[1] for row in rows if not row.startswith("| not trusted"))
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page):
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path} has no {name}"


def ignores(path: Path) -> list[str]:
    """Comments of a file that tell mypy to look away."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT and "type: ignore" in token.string]


def test_every_ignored_type_error_has_its_code_and_reason():
    found = [comment for path in SOURCES for comment in ignores(path)]
    bare = [comment for comment in found if not re.match(r"# type: ignore\[[\w, -]+\]  # \w", comment)]
    assert not bare, "write `# type: ignore[code]  # reason`"
    said = re.search(r"(\d+) comments `# type: ignore", (ROOT / "CONTRIBUTING.md").read_text())
    assert int(said[1]) == len(found), f"CONTRIBUTING.md says {said[1]}, the code has {len(found)}"


@pytest.mark.parametrize(
    ("asked", "expected"), [((), {"short"}), (("-m", "faults"), {"long"}), (("-m", "not slow"), {"short"})]
)
def test_long_tests_of_faults_run_when_asked_for(tmp_path, asked, expected):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_short(): pass\n@pytest.mark.faults\ndef test_long(): pass\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        str(tmp_path),
        "--collect-only",
        "-q",
    ]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, check=True)
    assert set(re.findall(r"::test_(\w+)", done.stdout)) == expected
