"""Progress: rate and time left count from when work began, whatever came before."""

import re

import pytest

from mirsweep.jobs.scanning.progress import make_progress

COMPILING_SECONDS, SHARD_SECONDS = 60.0, 20.0


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines_of(capsys, *, n_done: int) -> list[str]:
    """A run of 10 Mb that compiles for a minute, then does 2 Mb in 20 seconds, 0.1 Mb/s, until it is done."""
    clock = Clock()
    progress = make_progress(10_000_000, n_done=n_done, clock=clock)
    clock.now += COMPILING_SECONDS
    progress.begin()
    for _ in range((10_000_000 - n_done) // 2_000_000):
        clock.now += SHARD_SECONDS
        progress.advance(2_000_000, 7)
    progress.close()
    return capsys.readouterr().err.splitlines()


def test_lines_count_from_the_beginning_of_the_work(capsys):
    lines = lines_of(capsys, n_done=0)
    assert lines[0] == "2.0 of 10.0 Mb, 7 candidates, 0.10 Mb/s, 80 s left"
    assert lines[-1] == "10.0 of 10.0 Mb, 35 candidates, 0.10 Mb/s, 0 s left"


def test_what_an_earlier_run_did_is_no_part_of_the_rate(capsys):
    lines = lines_of(capsys, n_done=6_000_000)
    assert lines == [
        "8.0 of 10.0 Mb, 7 candidates, 0.10 Mb/s, 20 s left",
        "10.0 of 10.0 Mb, 14 candidates, 0.10 Mb/s, 0 s left",
    ]


@pytest.mark.parametrize(("n_done", "left"), [(0, "0:01:20"), (6_000_000, "0:00:20")])
def test_the_bar_counts_from_the_beginning_of_the_work(capsys, monkeypatch, n_done, left):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    clock = Clock()
    progress = make_progress(10_000_000, n_done=n_done, clock=clock)
    progress.say("compiling kernels (first run)")
    before = capsys.readouterr().err
    clock.now += COMPILING_SECONDS
    progress.begin()
    clock.now += SHARD_SECONDS
    progress.advance(2_000_000, 7)
    progress.close()
    after = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert "compiling kernels (first run)" in before
    assert "Mb" not in before
    assert f"{(n_done + 2_000_000) / 1e6:.1f} of 10.0 Mb 0.10 Mb/s 7 candidates {left}" in after


def test_small_genomes_are_told_in_kb(capsys):
    clock = Clock()
    progress = make_progress(171_823, n_done=50_000, clock=clock)
    progress.begin()
    clock.now += 20
    progress.advance(40_000, 7)
    clock.now += 20
    progress.advance(81_823, 5)
    progress.close()
    assert capsys.readouterr().err.splitlines() == [
        "90.0 of 171.8 kb, 7 candidates, 2.0 kb/s, 41 s left",
        "171.8 of 171.8 kb, 12 candidates, 3.0 kb/s, 0 s left",
    ]
