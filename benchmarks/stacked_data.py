"""What ``genome_pack.py`` wrote, on the device: hairpins of many runs, side by side for stacked networks.

Needs torch, NumPy and mirsweep's ``model/``.
"""

import json
import lzma
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirsweep.model.mutation import mutate
from stacked_nets import Columns

N_FLANK, FIRST_FLANK = 24, 17


@dataclass(frozen=True)
class RunData:
    """Examples of a run, the positives first, on the device.

    Attributes
    ----------
    rows, match_at
        Each example's hairpin, and where the matches of its columns begin; int64, shape (n,).
    n_positives
        How many are pre-miRNAs.
    chances, other_chance
        How often each positive, and each other one, is drawn by weight; of the positives for networks of even and of
        odd random seeds. float64, sum 1.
    ends, arm
        Of the positives, as :class:`mirsweep.model.genome_examples.Positives` has them; int64 and float32.
    params, config
        As :class:`genome_pack.Recipe` has them.
    schedules
        Of each network: learning rate and momentum of each step, float64, shape (n_steps, 2).
    """

    rows: Tensor
    match_at: Tensor
    n_positives: int
    chances: tuple[Tensor, Tensor]
    other_chance: Tensor
    ends: Tensor
    arm: Tensor
    params: list[dict[str, Any]]
    config: dict[str, Any]
    schedules: list[np.ndarray]

    def plan(self, seed: int) -> tuple[dict[str, Any], np.ndarray]:
        """Parameters and schedule of the network with a random seed; further ones begin again with the first's."""
        k = seed % len(self.params)
        return self.params[k], self.schedules[k]


class PackedData:
    """The folder, on a device.

    Parameters
    ----------
    folder
        As written.
    device
        As torch names it.

    Attributes
    ----------
    facts
        ``pack.json``: what all trainings share.
    runs
        By name.
    n_columns
        Columns of each hairpin without flanks, int64.
    """

    def __init__(self, folder: Path, device: str):
        self.device = device
        self.facts: dict[str, Any] = json.loads((folder / "pack.json").read_text())
        with ThreadPoolExecutor(4) as pool:
            columns, n_columns, flanks, bits = pool.map(
                lambda name: np.frombuffer(lzma.decompress((folder / f"{name}.xz").read_bytes()), np.uint8),
                ("columns", "n_columns", "flanks", "matches"),
            )
        arrays = np.load(folder / "runs.npz")
        kinds = np.array(self.facts["kinds"])
        self._columns = self._up(columns)
        self._left, self._right = (self._up(part.astype(np.uint8)) for part in divmod(kinds, self.facts["n_tokens"]))
        numbers = n_columns.view(np.uint16).astype(np.int64)
        ends_at = np.cumsum(numbers)
        self.n_columns, self._column_at = self._up(numbers), self._up(ends_at - numbers)
        digits = flanks.reshape(-1, 5, 1) // np.array([81, 27, 9, 3, 1], np.uint8) % 3
        self._flanks = self._up(digits.reshape(-1, 25)[:, :N_FLANK] + np.uint8(FIRST_FLANK))
        self._read_runs(arrays, bits, ends_at - numbers)

    def _up(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(array)).to(self.device)  # a copy: what was unpacked cannot be written to

    def _read_runs(self, arrays: Any, bits: np.ndarray, column_at: np.ndarray) -> None:
        """Runs, and the matches of all columns of each: 1 on the left, 2 on the right, 3 on both."""
        sizes: dict[str, list[int]] = self.facts["blocks"]
        begins = dict(zip(sizes, np.cumsum([0, *(n for n, _ in sizes.values())]).tolist(), strict=False))
        self.runs: dict[str, RunData] = {}
        matches, n_bytes, n_matches = [], 0, 0
        for name, own in self.facts["runs"].items():
            rows, match_at = [], []
            for block in (own["positives"], *own["others"]):
                (n, n_own), begin = sizes[block], begins[block]
                used = -(-2 * n_own // 8)
                pairs = np.unpackbits(bits[n_bytes : n_bytes + used], count=2 * n_own).reshape(n_own, 2)
                matches.append(self._up(pairs[:, 0] | pairs[:, 1] << 1))
                rows.append(np.arange(begin, begin + n))
                match_at.append(column_at[begin : begin + n] - column_at[begin] + n_matches)
                n_bytes, n_matches = n_bytes + used, n_matches + n_own
            weights, evened, others = (
                arrays[f"{name}.{what}"].astype(np.float64) for what in ("weights", "evened_weights", "other_weights")
            )
            is_used = np.concatenate([np.ones(len(weights), bool), others > 0])
            others = others[others > 0]
            self.runs[name] = RunData(
                self._up(np.concatenate(rows)[is_used]),
                self._up(np.concatenate(match_at)[is_used]),
                len(weights),
                (self._up(weights / weights.sum()), self._up(evened / evened.sum())),
                self._up(others / others.sum()),
                self._up(arrays[f"{name}.ends"].astype(np.int64)),
                self._up(arrays[f"{name}.arm"].astype(np.float32)),
                own["params"],
                own["config"],
                [arrays[f"{name}.schedule.{k}"] for k in range(len(own["params"]))],
            )
        self._matches = torch.cat(matches)

    def columns(
        self,
        rows: Tensor,
        match_at: Tensor,
        has_flanks: Tensor,
        is_hidden: Tensor,
        width: int,
        *,
        mutated: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Columns:
        """Columns of hairpins, all arguments (B, M) or what becomes that; as many as ``width`` at most. ``mutated`` is
        the share of the columns that is changed."""
        position = torch.arange(width, device=self.device)[:, None]
        own = self.n_columns[rows][:, None]
        is_inside = position < own  # (B, C, M)
        kind = self._columns[(self._column_at[rows][:, None] + position).clamp(max=len(self._columns) - 1)].long()
        left, right = (table[kind] * is_inside for table in (self._left, self._right))
        if mutated is not None:
            left, right = mutate(left, right, mutated, generator)
        beyond = position - own
        is_flank = (beyond >= 0) & (beyond < N_FLANK) & has_flanks[:, None]
        flank = self._flanks[rows[:, None].expand_as(beyond), beyond.clamp(0, N_FLANK - 1)]
        left, right = torch.where(is_flank, flank, left), right.expand_as(is_flank)
        at = (match_at[:, None] + position).clamp(max=len(self._matches) - 1)
        match = (self._matches[at] * (is_inside & ~is_hidden[:, None])).expand_as(is_flank)
        return Columns(
            torch.stack([left, right], 3),
            torch.stack([match & 1, match >> 1], 3),
            self.n_columns[rows] + N_FLANK * has_flanks,
        )
