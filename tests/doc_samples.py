"""The console samples of the documentation: their commands are run in one folder, and their output stands in the pages.

python tests/doc_samples.py     writes the outputs into the pages anew; do so when a change of them is meant
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/tutorial.md", "docs/howto.md")
"""In this order, since the last works on what the second leaves."""
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)


def renewed_pages(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each page, and its text with the outputs of its commands as they are now; ``folder`` is where they run."""
    (folder / "mirsweep").symlink_to(ROOT)
    for page in (ROOT / name for name in PAGES):
        yield page, _BLOCK.sub(lambda block: f"```console\n{_run_all(block[1], folder)}```", page.read_text())


def _run_all(block: str, folder: Path) -> str:
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{_run(command[2:], folder)}" for command in commands)


def _run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode not in (0, 141):  # 141: head has seen enough
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def main() -> None:
    """Write the pages anew."""
    with tempfile.TemporaryDirectory() as folder:
        for page, text in renewed_pages(Path(folder)):
            page.write_text(text)


if __name__ == "__main__":
    main()
