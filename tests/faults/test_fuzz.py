"""Files that nobody should trust, by the hundred: read rightly or refused with one sentence, and nothing else."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz_long import fuzz_apart
from fuzz_readers import READERS
from helpers_fuzz import try_reader

N_EXAMPLES = 30
"""Of each reader in an ordinary run; ``make faults`` reads on for a time."""


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_refuses(name):
    reader = READERS[name]

    @settings(
        max_examples=N_EXAMPLES,
        derandomize=True,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def read(data):
        try_reader(reader, data.draw(reader.files))

    read()


@pytest.mark.faults
@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_refuses_at_length(name, tmp_path):
    found = fuzz_apart(name, seconds=30, start=1000, keep=tmp_path)
    assert found["read"] + found["refused"] > 20
    assert not found["faults"]
