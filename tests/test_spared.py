"""mirsweep's own processes import nothing that takes long and that they do not need."""

import subprocess
import sys

import pytest

from helpers_jobs import SLICE

ARRAY = "import pyarrow as pa; pa.array([1, 2]); pa.scalar(1)"
LISTED = "import sys; print(sorted({'pandas', 'coverage'} & set(sys.modules)))"


def told_by(program: str) -> str:
    """What a program prints in a process of its own, whose coverage nobody measures."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch):
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


def test_arrow_and_numba_import_them_where_they_are_installed():
    pytest.importorskip("pandas")
    pytest.importorskip("coverage")
    assert told_by(f"{ARRAY}; import numba; {LISTED}") == "['coverage', 'pandas']"


def test_they_are_spared_in_processes_of_mirsweep():
    assert told_by(f"from mirsweep._spared import spare; spare(); {ARRAY}; import numba; {LISTED}") == "[]"


def test_what_is_imported_already_stays_of_use():
    pytest.importorskip("pandas")
    program = "import pandas; from mirsweep._spared import spare; spare(); import pyarrow as pa; "
    assert told_by(program + "print(pa.table({'a': [1]}).to_pandas()['a'].sum())") == "1"


def test_networks_can_be_trained_without_them():
    """torch looks where they are when the first optimiser is made."""
    program = "import torch; torch.optim.Adam([torch.zeros(1, requires_grad=True)])"
    assert told_by(f"from mirsweep._spared import spare; spare(); {program}; {LISTED}") == "[]"


def test_a_scan_by_the_command_does_without_them(tmp_path):
    """The driver; a worker process begins with the same."""
    words = [
        "mirsweep",
        "scan",
        str(SLICE),
        "-o",
        str(tmp_path / "out"),
        "--region",
        "chrX_1208000_3008000:1-30000",
        "--quiet",
    ]
    program = f"""
import atexit, sys
atexit.register(lambda: print(sorted({{'pandas', 'coverage'}} & set(sys.modules))))
sys.argv = {[*words, "--decoys", "none", "--local"]}
from mirsweep.jobs.cli.main import main
sys.exit(main())
"""
    assert told_by(program).splitlines()[-1] == "[]"
