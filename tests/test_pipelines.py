"""Workflows, containers and recipes: their commands are of mirsweep, and run; engines that are installed run them."""

import json
import os
import re
import shlex
import shutil
import string
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from mirsweep.jobs.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
PIPELINES = ROOT / "pipelines"
PART = PIPELINES / "galaxy" / "test-data" / "part.fa"
MODULE = PIPELINES / "nextflow" / "mirsweep" / "scan"
TOOL = ET.parse(PIPELINES / "galaxy" / "mirsweep_scan.xml").getroot()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def parses(line: str) -> None:
    """The options of a command exist and take such values; its redirections are left out."""
    words = shlex.split(re.sub(r"\s\d?>.*$", "", line))
    assert words[0] == "mirsweep"
    command = cli.get_command(None, words[1])
    assert command is not None, f"there is no mirsweep {words[1]}"
    command.make_context(words[1], words[2:])


def commands(script: str) -> list[str]:
    """Commands of mirsweep in a shell script, but for its version."""
    joined = re.sub(r"\\\n\s+", " ", script)
    found = re.findall(r"(?:^|[\s'\"&;])(mirsweep (?!--)[a-z]+ [^&;\n]*)", joined)
    assert found
    return found


def shell(script: str, folder: Path) -> None:
    """Run a script as an engine would, beside the genome, mirsweep on the path."""
    if not (folder / PART.name).exists():
        shutil.copy(PART, folder)  # an index is written beside it
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(run, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def galaxy_values(case: ET.Element) -> dict[str, str]:
    """What the variables of the command are in a test of the tool: the default of each, or what the test gives."""
    given = {param.get("name"): param.get("value") for param in case.iter("param")}
    values = {}
    for param in TOOL.find("inputs"):
        name = param.get("name") or param.get("argument").lstrip("-")
        if param.get("type") == "boolean":
            is_on = given.get(name, param.get("checked")) == "true"
            values[name] = param.get("truevalue") if is_on else param.get("falsevalue")
        elif param.get("type") == "select":
            known = [option.get("value") for option in param]
            default = next(option.get("value") for option in param if option.get("selected"))
            values[name] = given.get(name, default)
            assert values[name] in known
        else:
            values[name] = given.get(name, param.get("value"))
    return values | {"genome": PART.name}


def galaxy_script(case: ET.Element) -> str:
    template = string.Template(TOOL.findtext("command").strip())
    return template.safe_substitute(galaxy_values(case)).replace("\\$", "$").replace("\n", " ")


@pytest.mark.parametrize("case", list(TOOL.find("tests")), ids=["decoys", "virus"])
def test_galaxy_commands_parse(case):
    script = galaxy_script(case)
    assert not re.search(r"\$(?!\{GALAXY_SLOTS:-1\})", script)
    for line in commands(script.replace("${GALAXY_SLOTS:-1}", "1")):
        parses(line)


def test_every_choice_of_the_galaxy_tool_is_one_of_mirsweep():
    for param in TOOL.find("inputs").iter("param"):
        for option in param.iter("option"):
            value, flag = option.get("value"), param.get("argument")
            parses(
                shlex.join(
                    ["mirsweep", "query" if param.get("name") == "limit" else "scan", "x"]
                    + ([] if param.get("name") == "limit" else ["-o", "out"])
                    + ([flag, value] if flag else [value] * bool(value))
                )
            )


def test_the_galaxy_tool_writes_what_its_test_expects(tmp_path):
    case = TOOL.find("tests")[1]
    shell(galaxy_script(case), tmp_path)
    for output in TOOL.find("outputs"):
        assert (tmp_path / output.get("from_work_dir")).is_file()
    places = {output.get("name"): output.get("from_work_dir") for output in TOOL.find("outputs")}
    for expected in case.iter("output"):
        content = (tmp_path / places[expected.get("name")]).read_text()
        assert all(text.get("text") in content for text in expected.iter("has_text"))


def nextflow_blocks() -> dict[str, str]:
    """Script and stub of the module, as bash sees them."""
    text = (MODULE / "main.nf").read_text()
    values = {
        "fasta": PART.name,
        "prefix": "part",
        "meta.id": "part",
        "args": "--decoys none",
        "args2": "--no-attention",
    }
    values |= {"task.cpus": "1", "task.process": "MIRSWEEP_SCAN"}
    blocks = {}
    for name, block in re.findall(r'^    (script|stub):.*?"""\n(.*?)\n    """', text, re.M | re.S):
        filled = re.sub(r"(?<!\\)\$(?:\{([\w.]+)\}|([a-z]\w*(?:\.[a-z]+)?))", lambda m: values[m[1] or m[2]], block)
        blocks[name] = re.sub(r"^    ", "", filled.replace("\\$", "$"), flags=re.M)
    return blocks


def nextflow_outputs() -> dict[str, str]:
    """Patterns of the module's output files by channel."""
    text = re.search(r"output:\n(.*?)\n\n", (MODULE / "main.nf").read_text(), re.S)[1]
    found = re.findall(r'path\(?\s*"([^"]+)"\)?\s*,\s*emit: (\w+)', text)
    assert len(found) == len(text.splitlines())
    return {name: pattern.replace("${prefix}", "part") for pattern, name in found}


@pytest.mark.parametrize("kind", ["script", "stub"])
def test_the_nextflow_module_writes_its_outputs(tmp_path, kind):
    block = nextflow_blocks()[kind]
    if kind == "script":
        for line in commands(block):
            parses(line)
    shell(block, tmp_path)
    for name, pattern in nextflow_outputs().items():
        assert list(tmp_path.glob(pattern)), f"{kind}: nothing for {name}"
    told = yaml.safe_load((tmp_path / "versions.yml").read_text())
    assert told == {"MIRSWEEP_SCAN": {"mirsweep": PROJECT["version"]}}


def test_the_nextflow_module_is_described():
    meta = yaml.safe_load((MODULE / "meta.yml").read_text())
    assert meta["name"] == "mirsweep_scan"
    assert set(meta["output"]) == set(nextflow_outputs())
    assert {"name", "description", "keywords", "tools", "input", "output", "authors"} <= meta.keys()


@pytest.mark.parametrize(
    "path", [MODULE / "environment.yml", PIPELINES / "snakemake" / "envs" / "mirsweep.yaml"], ids=lambda path: path.name
)
def test_environments_name_this_version(path):
    environment = yaml.safe_load(path.read_text())
    assert environment["channels"] == ["conda-forge", "bioconda"]
    assert environment["dependencies"] == [f"bioconda::mirsweep={PROJECT['version']}"]


def test_commands_of_the_snakemake_workflow_parse():
    text = (PIPELINES / "snakemake" / "Snakefile").read_text()
    values = {
        "input:q": "g.fa",
        "input.known:q": "k.bed",
        "params.out:q": "out",
        "wildcards.genome:q": "g",
        "threads": "2",
    }
    values |= {"params.options": "--decoys none", "params.limit": "--balanced", "output:q": "o.gff3.gz"}
    values |= {"output.multiqc:q": "g_mqc.json", "params.known:q": "--known=k.bed", "params.mature:q": "--mature=m.fa"}
    shells = re.findall(r"shell:\n((?:\s+\".*\"\n)+)", text)
    assert len(shells) == 5
    for block in shells:
        joined = "".join(re.findall(r'"(.*)"', block))
        filled = re.sub(r"\{([\w.:]+)\}", lambda found: values.get(found[1], "log"), joined)
        for line in commands(filled):
            parses(line)


def engine(name: str) -> str:
    """The program, of this environment or on the path; the test is skipped without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_snakemake_runs_the_workflow(tmp_path):
    program = engine("snakemake")
    (tmp_path / "my.yaml").write_text(json.dumps({"genomes": {"part": PART.name}, "scan": "--decoys none"}))
    workflow = PIPELINES / "snakemake" / "Snakefile"
    shell(f"{shlex.quote(program)} --snakefile {shlex.quote(str(workflow))} --configfile my.yaml --cores 1", tmp_path)
    made = {path.relative_to(tmp_path / "results").as_posix() for path in (tmp_path / "results").rglob("*")}
    assert {"part/report.html", "part.gff3.gz", "part.gff3.gz.tbi", "multiqc/part_mqc.json"} <= made


def test_planemo_finds_nothing_wrong(tmp_path):
    program = engine("planemo")
    shell(f"{shlex.quote(program)} lint --fail_level warn {shlex.quote(str(PIPELINES / 'galaxy'))}", tmp_path)


def test_hadolint_finds_nothing_wrong(tmp_path):
    shell(f"{shlex.quote(engine('hadolint'))} {shlex.quote(str(ROOT / 'Dockerfile'))}", tmp_path)


def test_multiqc_reads_what_report_writes(tmp_path):
    program = engine("multiqc")
    shell(nextflow_blocks()["script"], tmp_path)
    shell(f"{shlex.quote(program)} --quiet . -o qc", tmp_path)
    (table,) = (tmp_path / "qc" / "multiqc_data").glob("*mirsweep*.txt")
    header, row = (line.split("\t") for line in table.read_text().splitlines())
    told = json.loads((tmp_path / "part_mqc.json").read_text())["data"]["part"]
    assert {name: float(value) for name, value in zip(header[1:], row[1:], strict=True)} == told


def test_the_recipe_needs_what_the_package_needs():
    text = re.sub(r"^\{%.*%\}\n", "", (ROOT / "conda" / "meta.yaml").read_text(), flags=re.M)
    recipe = yaml.safe_load(re.sub(r"\{\{.*?\}\}", "x", text))
    wanted = {each.replace(">=", " >=") for each in PROJECT["dependencies"]}
    names = {"duckdb": "python-duckdb", "edlib": "python-edlib", "matplotlib": "matplotlib-base", "ray": "ray-core"}
    names["torch"] = "pytorch"
    renamed = {" ".join([names.get(name, name), limit]) for name, limit in map(str.split, wanted)}
    assert set(recipe["requirements"]["run"]) - {"python >=3.11"} == renamed
    assert f'{{% set version = "{PROJECT["version"]}" %}}' in (ROOT / "conda" / "meta.yaml").read_text()
    assert recipe["build"]["entry_points"] == [f"mirsweep = {PROJECT['scripts']['mirsweep']}"]
    for line in recipe["test"]["commands"][2:]:
        parses(line)


def test_the_image_has_all_that_the_wheel_is_built_from():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"].values()
    files = {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "constraints.txt"}
    assert kept == {*folders, *files}
    for line in re.findall(r"(mirsweep demo [^\\\n]*)", (ROOT / "Dockerfile").read_text()):
        parses(line)
