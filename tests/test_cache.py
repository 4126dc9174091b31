"""The cache folder is used only if nobody else can write to it; damage and full disks cost time, never a run."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mirsweep.cache import UnsafeFolderError, cache_root, kept_folder

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "cache"))


def run(code: str, *arguments: object, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own; None takes a variable away."""
    given = {name: value for name, value in (os.environ | environment).items() if value is not None}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=given, check=False)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MIRSWEEP_CACHE": "/a/b", "XDG_CACHE_HOME": "/x", "HOME": "/"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/"}, "/x/mirsweep"),
        ({"MIRSWEEP_CACHE": "", "XDG_CACHE_HOME": "relative", "HOME": "/"}, "/.cache/mirsweep"),
        ({"MIRSWEEP_CACHE": "~/kept", "HOME": "/"}, "/kept"),
        ({"HOME": "/no/such/home"}, None),
        ({"HOME": "~"}, None),
    ],
)
def test_where_the_cache_is(environment, expected):
    assert cache_root(environment) == (expected and Path(expected))


def test_a_new_cache_is_private(tmp_path):
    for folder in (kept_folder("kernels"), tmp_path / "cache"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["cache", "cache/kernels"])
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path, name, mode):
    kept_folder("kernels")
    (tmp_path / name).chmod(mode)
    with pytest.raises(UnsafeFolderError, match=rf"{tmp_path / name}.* chmod go-w"):
        kept_folder("kernels")


def test_a_folder_that_others_can_replace_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(UnsafeFolderError, match=f"all can write to {tmp_path}"):
        kept_folder("kernels")


@needs_root
@pytest.mark.parametrize("name", ["cache", "cache/kernels"])
def test_a_folder_of_another_user_is_refused(tmp_path, name):
    kept_folder("kernels")
    os.chown(tmp_path / name, NOBODY, NOBODY)
    with pytest.raises(UnsafeFolderError, match=f"{tmp_path / name}: .* belongs to another user"):
        kept_folder("kernels")


def test_a_link_is_judged_by_what_it_leads_to(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "cache").symlink_to(tmp_path / "open")
    with pytest.raises(UnsafeFolderError):
        kept_folder("kernels")


ENCODE = """
from mirsweep.model.encode import encode
print(*encode(["ACGU"], ["(..)"])[0].tolist())
"""
TOKENS = "1 8 12 14\n"


def test_instead_of_an_unsafe_folder_a_temporary_one_is_used_and_removed(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    done = run(ENCODE + "import numba; print(numba.config.CACHE_DIR)", TMPDIR=str(tmp_path))
    assert done.stdout.startswith(TOKENS), done.stderr
    folder = done.stdout.splitlines()[1]
    assert done.stderr.count("warning") == 1
    assert str(tmp_path / "cache") in done.stderr
    assert folder.startswith(f"{tmp_path}/mirsweep-cache-")
    assert os.listdir(tmp_path) == ["cache"]
    assert os.listdir(tmp_path / "cache") == []


NO_HOME = """
import os, sys
from mirsweep.cache import private_folder
os.setgroups([]), os.setgid(54321), os.setuid(54321)
os.chdir(sys.argv[1])
print(private_folder("kernels"))
"""


@needs_root
def test_without_home_and_password_entry_no_folder_is_called_tilde():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own could not be entered by that user
        os.chmod(folder, 0o777)
        gone = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "MIRSWEEP_CACHE"))
        done = run(NO_HOME, folder, TMPDIR=folder, **gone)
        assert done.stdout.startswith(f"{folder}/mirsweep-cache-"), done.stderr
        assert "set MIRSWEEP_CACHE" in done.stderr
        assert os.listdir(folder) == []


PREPARED = """
import os, pickle, sys
class Payload:
    def __reduce__(self):
        return os.mkdir, (sys.argv[2],)
for index in __import__("pathlib").Path(sys.argv[1]).rglob("*.nbi"):
    index.write_bytes(pickle.dumps(Payload()))
"""


@needs_root
def test_what_another_user_prepared_is_not_run(tmp_path):
    """A cache as mirsweep makes it, with a payload for every kernel, given to another user."""
    folder, harm = tmp_path / "cache", tmp_path / "harm"
    assert run(ENCODE).returncode == 0
    run(PREPARED, folder, harm)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    done = run(ENCODE)
    assert done.stdout == TOKENS, done.stderr
    assert "belongs to another user" in done.stderr
    assert not harm.exists()


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", ["cut", "zeros", "empty"])
def test_damaged_kernels_are_compiled_anew_with_one_warning(tmp_path, suffix, damage):
    assert run(ENCODE).stdout == TOKENS
    files = list((tmp_path / "cache").rglob(f"*.{suffix}"))
    assert files
    for path in files:
        content = path.read_bytes()
        half = content[: len(content) // 2]
        path.write_bytes({"cut": half, "zeros": half + bytes(len(content) - len(half)), "empty": b""}[damage])
    done = run(ENCODE)
    assert (done.returncode, done.stdout) == (0, TOKENS), done.stderr
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'cache'}/kernels" in done.stderr
    assert "damaged" in done.stderr
    again = run(ENCODE)
    assert (again.stdout, again.stderr) == (TOKENS, "")


FULL = """
import resource, signal
from mirsweep.model import encode
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
"""


def test_where_kernels_cannot_be_kept_work_goes_on_with_one_warning(tmp_path):
    """No file may grow beyond 1,000 bytes, which is how a full disk looks to a writer."""
    done = run(FULL + ENCODE)
    assert (done.returncode, done.stdout) == (0, TOKENS), done.stderr
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'cache'}/kernels" in done.stderr
    assert "cannot be kept" in done.stderr
    assert not list((tmp_path / "cache").rglob("*.tmp*"))


def test_numbas_own_variable_is_respected(tmp_path):
    done = run(ENCODE, NUMBA_CACHE_DIR=str(tmp_path / "numba"))
    assert (done.stdout, done.stderr) == (TOKENS, "")
    assert list((tmp_path / "numba").rglob("*encode_batch*.nbi"))
    assert not (tmp_path / "cache").exists()


def test_a_second_process_compiles_nothing(tmp_path):
    assert run(ENCODE).stdout == TOKENS
    code = "from mirsweep.kernels import nothing_compiled\nwith nothing_compiled():"
    done = run(code + ENCODE.replace("\n", "\n    "))
    assert done.stdout == TOKENS, done.stderr
    empty = run(code + ENCODE.replace("\n", "\n    "), MIRSWEEP_CACHE=str(tmp_path / "other"))
    assert "NotCompiledError" in empty.stderr


def test_kernels_do_without_scipy_and_take_it_from_nobody():
    code = """
import sys
import numpy as np
from mirsweep.scanner.kmers import KmerCounts
KmerCounts(np.array([5])).of(np.array([5]))
assert "scipy.linalg" not in sys.modules
import numba
print(numba.njit(lambda matrix: np.dot(matrix, matrix))(2 * np.eye(2)).sum())
import scipy.linalg
print(scipy.linalg.norm([3, 4]))
"""
    done = run(code)
    assert done.stdout.split() == ["8.0", "5.0"], done.stderr
