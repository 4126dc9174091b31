"""Kernels are compiled before work, once for all processes of a cache folder, and a scan then compiles none."""

import os
import subprocess
import sys

import pytest

from helpers_jobs import mirsweep, slice_bases, write_fasta
from mirsweep.first_run import _shares
from mirsweep.scanner.kernel_groups import GROUPS, counting_kernels, folding_kernels, scanning_kernels
from mirsweep.scanner.params import preset_params

ENCODE = "mirsweep.model.kernel_groups:encode"
SMALL = [ENCODE, "mirsweep.scanner.kernel_groups:stems"]

COMPILE = """
import sys
from numba.core import event
class Count(event.Listener):
    n = 0
    def on_start(self, _): Count.n += 1
    def on_end(self, _): pass
event.register("numba:compile", Count())
from mirsweep.first_run import compile_kernels, missing_kernels
compile_kernels(sys.argv[1:], n_processes=2)
print(Count.n, missing_kernels(sys.argv[1:]))
"""

SCAN = "from mirsweep.jobs import scan; scan(sys.argv[1], output=sys.argv[2], quiet=True); del sys.argv[1:]"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "cache"))


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=os.environ | environment, **pipes)


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """How many kernels the process compiled, and what it missed then."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    n, missing = out.strip().split(" ", 1)
    return int(n), missing


def test_groups_are_shared_out_by_time():
    names = scanning_kernels(preset_params("animal"))
    one, other = ([GROUPS[name.partition(":")[2]].seconds for name in share] for share in _shares(names, 2))
    assert sorted([*one, *other]) == sorted(GROUPS[name.partition(":")[2]].seconds for name in names)
    less, more = sorted((one, other), key=sum)
    assert sum(more) - sum(less) <= min(more)  # none of them would be better with the others
    assert len(_shares(names[:1], 8)) == 1


def test_only_what_the_scan_needs():
    animal, plant = (scanning_kernels(preset_params(preset)) for preset in ("animal", "plant"))
    assert not [name for name in animal if name.endswith("32")]
    on_gpu = scanning_kernels(preset_params("animal", fold_engine="cuda"))
    assert not {"prefilter", "stemloops", "fill", "trace"} & {name.partition(":")[2] for name in on_gpu}
    assert {name.partition(":")[2] for name in [*plant, *counting_kernels(), *on_gpu]} == set(GROUPS)
    assert not [name for name in scanning_kernels(preset_params("virus")) if name.endswith("stems")]
    assert folding_kernels("vienna", longest_nt=150) == []


def test_two_processes_compile_for_each_other_not_twice():
    """Both start with an empty cache; whoever comes second waits for the lock, and loads."""
    alone, _ = finish(start(COMPILE, ENCODE))
    both = [start(COMPILE, ENCODE, MIRSWEEP_CACHE=os.environ["MIRSWEEP_CACHE"] + "2") for _ in range(2)]
    counts = sorted(finish(process) for process in both)
    assert alone > 0
    assert counts == [(0, "[]"), (alone, "[]")]


def test_helpers_compile_what_this_process_loads():
    n, missing = finish(start(COMPILE, *SMALL))
    everything, _ = finish(
        start(
            COMPILE.replace("n_processes=2", "n_processes=1"), *SMALL, MIRSWEEP_CACHE=os.environ["MIRSWEEP_CACHE"] + "2"
        )
    )
    assert missing == "[]"
    assert 0 < n < everything
    assert finish(start(COMPILE, *SMALL)) == (0, "[]")


def test_without_helpers_this_process_compiles():
    code = COMPILE.replace("import sys", "import sys; sys.executable = '/bin/false'", 1)
    n, missing = finish(start(code, *SMALL))
    assert n > 0
    assert missing == "[]"


NOTED = """
import sys
from mirsweep.first_run import note_kernels, were_noted
groups = sys.argv[1:]
before = were_noted(groups)
note_kernels(groups)
print(before, were_noted(groups[::-1]), were_noted(groups[:1]))
"""


def test_kernels_are_noted_in_the_cache_that_has_them():
    other = {"MIRSWEEP_CACHE": os.environ["MIRSWEEP_CACHE"] + "2"}
    for environment, expected in (({}, "False"), ({}, "True"), (other, "False")):
        out, err = start(NOTED, *SMALL, **environment).communicate(timeout=300)
        assert out.split() == [expected, "True", "False"], err


DRIVEN = """
import sys
from mirsweep.jobs import scan
from mirsweep.scanner._prefilter_kernels import keep_best
scan(sys.argv[1], output=sys.argv[2], workers=2, decoys="none", quiet=True, shard_nt=30_000)
print(len(keep_best.signatures))
"""
"""A scan by workers; prints how often the driver has loaded a kernel that only they need."""


@pytest.mark.slow
def test_a_first_scan_says_that_it_compiles_and_the_next_compiles_nothing(tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"one": slice_bases(0, 60_000)})
    first = mirsweep("scan", genome, "-o", tmp_path / "first", "--decoys", "none")
    second = mirsweep("scan", genome, "-o", tmp_path / "second", "--decoys", "none")
    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stderr.splitlines()[0] == "compiling kernels (first run)"
    assert "compiling" not in second.stderr
    done = start(
        COMPILE.replace("compile_kernels(sys.argv[1:], n_processes=2)", SCAN), str(genome), str(tmp_path / "o")
    )
    assert finish(done)[0] == 0
    (cache,) = (tmp_path / "cache").glob("kernels-*")
    for name, loaded in (("left to workers", "0"), ("noted again", "1"), ("left again", "0")):
        out, err = start(DRIVEN, str(genome), str(tmp_path / name)).communicate(timeout=300)
        assert (out.strip(), err) == (loaded, "")
        if name == "left to workers":
            for note in cache.glob("*.noted"):
                note.unlink()
