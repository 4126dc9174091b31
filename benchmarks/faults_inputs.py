"""Bad inputs by the command line: each command gets files that are nearly right, and refuses them or does its work."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz_readers import READERS
from helpers_fuzz import bounded, files_of
from mirsweep.jobs.cli.main import main

__all__ = ["bad_inputs"]

_COMMANDS: dict[str, tuple[str, list[str]]] = {
    "scan": (
        "fasta",
        ["scan", "{}/g.fa", "-o", "{}/out", "--model", "MODEL", "--local", "--quiet", "--decoys", "none"],
    ),
    "score": ("sequences", ["score", "{}/s.fa", "--model", "MODEL"]),
    "score --model net": ("model-net", ["score", "HAIRPINS", "--model", "{}/m.safetensors"]),
    "score --model two-stage": ("model-two-stage", ["score", "HAIRPINS", "--model", "{}/m.safetensors"]),
    "query": ("output-parts", ["query", "{}"]),
    "query --loci": ("output-loci", ["query", "{}", "--loci", "--format", "gff3"]),
    "query --sql": ("output-parts", ["query", "{}", "--sql", "SELECT * FROM candidates"]),
    "compare": ("output-json", ["compare", "{}", "KNOWN", "--json"]),
    "compare, annotation": ("annotation", ["compare", "OUTPUT", "{}/k.gff3", "--json"]),
    "check": ("output-bytes", ["check", "{}"]),
    "loci": ("output-tables", ["loci", "{}"]),
}
"""By name the reader whose files it gets, and its words."""


def bad_inputs(model: Path, n: int, start: int, counts: Any) -> Any:
    """Count what came of ``n`` inputs for each command; ``counts`` is a ``check_faults.Counts``."""
    beside = {
        "MODEL": str(model),
        "HAIRPINS": str(model.with_name("hairpins.fa")),
        "KNOWN": str(model.with_name("k.bed")),
    }
    beside["OUTPUT"] = str(model.with_name("whole"))
    Path(beside["HAIRPINS"]).write_text(">a\n" + "ACGUACGUUUUUACGUACGU" * 3 + "\n")
    Path(beside["KNOWN"]).write_text("c\t100\t200\tx\t0\t+\n")
    for name, (reader, words) in _COMMANDS.items():
        line = [beside.get(word, word) for word in words]
        once = _counted(name, reader, line, counts)
        seed(start)(_few(n)(given(st.data())(once)))()
    return counts


def _counted(name: str, reader: str, line: list[str], counts: Any) -> Callable[[st.DataObject], None]:
    """Runs a command on files that are drawn, and counts."""

    def once(data: st.DataObject) -> None:
        with files_of(data.draw(READERS[reader].files)) as folder:
            counts.add(name, problem=_problem([word.replace("{}", str(folder)) for word in line]))

    return once


def _few(n: int) -> settings:
    kinds = {"phases": (Phase.generate,), "suppress_health_check": list(HealthCheck)}
    return settings(max_examples=n, deadline=None, database=None, **kinds)


def _problem(line: list[str]) -> str | None:
    """What is wrong with how a command ended, in words; None if it did its work or refused with one sentence."""
    out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), bounded(seconds=60):
            code = main(line)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    said = [each for each in err.getvalue().splitlines() if not each.startswith("mirsweep: warning: ")]
    if code == 2:
        return None if len(said) == 1 and said[0].startswith("mirsweep: ") else f"said {err.getvalue()[-200:]}"
    return None if code in (0, 1) and "Traceback" not in err.getvalue() else f"exit code {code}"
