"""Nearest-neighbour energies as ViennaRNA holds them: every table of its parameter file, at one temperature."""

import errno
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import RNA

from mirsweep.scanner.errors import InputError

__all__ = ["FORBIDDEN", "MAX_LOOP", "Turner", "default_turner", "parse_turner", "read_turner"]

FORBIDDEN = 15_000
"""Energy (0.01 kcal/mol) of what cannot form: above any loop's, and twice it still fits into 16 bits."""
MAX_LOOP = 30
"""Most unpaired bases of a bulge or interior loop, nt; the tables of loop sizes end there."""

_KELVIN = 273.15
_MEASURED = 37.0
_DEFAULT = -50
"""What the word DEF stands for in a parameter file."""


@dataclass(frozen=True, eq=False)
class Turner:
    """Energies of RNAfold's model; int32, in 0.01 kcal/mol.

    Pair types 1-6 are CG GC GU UG AU UA (5' base first), 0 is no pair; bases 0-4 are N A C G U. An axis of
    length 7 is a pair type, one of length 5 a base.

    Attributes
    ----------
    stack
        Shape (7, 7): a pair (i, j) on the pair (q, p) read backwards.
    mismatch_hairpin, mismatch_interior, mismatch_interior_1n, mismatch_interior_23
        Shape (7, 5, 5): pair, base 3' of its first base, base 5' of its second (within the loop).
    mismatch_multi, mismatch_exterior
        Shape (7, 5, 5): pair, base 5' of it, base 3' of it. Never above 0.
    dangle5, dangle3
        Shape (7, 5): pair, the one base beside it. Never above 0.
    int11, int21, int22
        Shapes (7, 7, 5, 5), (7, 7, 5, 5, 5) and (7, 7, 5, 5, 5, 5).
    hairpin, bulge, interior
        Shape (31,), by number of unpaired bases.
    asymmetry, max_asymmetry
        Cost per nt of difference between the sides of an interior loop, and its limit.
    ml_base, ml_closing, ml_stem
        Multiloop: cost of an unpaired base, of the closing pair, of each pair.
    terminal_au
        Cost of a helix end that is not C-G.
    log_loop
        Factor of the logarithmic law beyond 30 nt, a float.
    hexaloops, tetraloops, triloops
        Energies of special hairpin loops, closing pair included in the key.
    """

    stack: np.ndarray
    mismatch_hairpin: np.ndarray
    mismatch_interior: np.ndarray
    mismatch_interior_1n: np.ndarray
    mismatch_interior_23: np.ndarray
    mismatch_multi: np.ndarray
    mismatch_exterior: np.ndarray
    dangle5: np.ndarray
    dangle3: np.ndarray
    int11: np.ndarray
    int21: np.ndarray
    int22: np.ndarray
    hairpin: np.ndarray
    bulge: np.ndarray
    interior: np.ndarray
    asymmetry: int
    max_asymmetry: int
    ml_base: int
    ml_closing: int
    ml_stem: int
    terminal_au: int
    log_loop: float
    hexaloops: dict[str, int]
    tetraloops: dict[str, int]
    triloops: dict[str, int]


def read_turner() -> Turner:
    """Energies that ViennaRNA would use now: its loaded parameter set at its current temperature.

    Agrees with ``RNA.fold`` after any ``RNA.params_load...`` and ``RNA.cvar.temperature = ...``. They pass through a
    temporary file.

    Raises
    ------
    InputError
        If no temporary file can be written.
    """
    return parse_turner(_saved_parameters(), temperature=RNA.cvar.temperature)


def _saved_parameters() -> str:
    """ViennaRNA's parameters as the text of a parameter file."""
    try:
        with tempfile.TemporaryDirectory(prefix="mirsweep-") as folder:
            path = Path(folder, "energies.par")
            RNA.params_save(str(path))
            text = path.read_text()
        if not text.rstrip().endswith("# END"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    except OSError as error:
        raise InputError(
            f"{error.filename or 'temporary files'}: ViennaRNA's energies cannot be written there for a moment "
            f"({error.strerror}); free some space, or name another place in the variable TMPDIR."
        ) from error
    return text


@cache
def default_turner() -> Turner:
    """The energies that ViennaRNA holds when this is first called."""
    return read_turner()


def parse_turner(text: str, *, temperature: float = _MEASURED) -> Turner:
    """Energies of a parameter file's text (version 2.0), rescaled to a temperature in degrees C.

    Free energies at T follow from those at 37 degrees and the enthalpies, G(T) = H - (H - G(37)) * T / T(37),
    cut to whole 0.01 kcal/mol as ViennaRNA does.
    """
    return _Parser(text, temperature).turner()


def _sections(text: str) -> dict[str, list[str]]:
    """Words of each section, comments dropped."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("# "):
            words = sections.setdefault(line[2:].strip(), [])
        elif not line.startswith(("##", "/*")):
            words.extend(line.split())
    return sections


def _number(word: str) -> float:
    return {"INF": np.inf, "DEF": _DEFAULT}[word] if word in ("INF", "DEF") else float(word)


class _Parser:
    """Reads the sections of one file at one temperature."""

    def __init__(self, text: str, temperature: float):
        self._words = _sections(text)
        self._factor = (temperature + _KELVIN) / (_MEASURED + _KELVIN)

    def _numbers(self, section: str) -> np.ndarray:
        return np.array([_number(word) for word in self._words[section]])

    def _rescale(self, free: np.ndarray, enthalpy: np.ndarray) -> np.ndarray:
        """Whole 0.01 kcal/mol at the temperature, cut towards zero; infinite ones become FORBIDDEN."""
        is_finite = np.isfinite(free) & np.isfinite(enthalpy)
        enthalpy, free = np.where(is_finite, enthalpy, 0.0), np.where(is_finite, free, 0.0)
        scaled = np.trunc(enthalpy - (enthalpy - free) * self._factor)
        return np.where(is_finite, scaled, FORBIDDEN).astype(np.int32)

    def _table(self, section: str, *shape: int) -> np.ndarray:
        free, enthalpy = self._numbers(section), self._numbers(f"{section}_enthalpies")
        return self._rescale(free, enthalpy).reshape(shape)

    def _by_pairs(self, section: str, n_pairs: int, *bases: int) -> np.ndarray:
        """Table with pair types first (one or two); the row of unknown pairs is dropped, type 0 is FORBIDDEN."""
        table = self._table(section, *([7] * n_pairs), *bases)
        padded = np.full([7] * n_pairs + list(bases), FORBIDDEN, np.int32)
        inner = (slice(1, 7),) * n_pairs
        padded[inner] = table[(slice(0, 6),) * n_pairs]
        return padded

    def _int22(self) -> np.ndarray:
        """2x2 interior loops; an N costs as much as the worst base in its place."""
        table = np.full((7, 7, 5, 5, 5, 5), FORBIDDEN, np.int32)
        table[1:, 1:, 1:, 1:, 1:, 1:] = self._table("int22", 6, 6, 4, 4, 4, 4)
        for axis in range(2, 6):
            by_base = np.moveaxis(table, axis, 0)
            by_base[0] = by_base[1:5].max(axis=0)
        return table

    def _pairs_of_values(self, section: str) -> np.ndarray:
        """Free energies of a section that lists ``energy enthalpy`` in turn."""
        numbers = self._numbers(section)
        return self._rescale(numbers[0::2], numbers[1::2])

    def _special(self, section: str) -> dict[str, int]:
        words = self._words.get(section, [])
        free, enthalpy = (np.array([float(word) for word in words[k::3]]) for k in (1, 2))
        return dict(zip(words[0::3], self._rescale(free, enthalpy).tolist(), strict=True))

    def turner(self) -> Turner:
        ml_base, ml_closing, ml_stem = self._pairs_of_values("ML_params").tolist()
        ninio, ninio_enthalpy, max_ninio = self._numbers("NINIO")
        misc = self._numbers("Misc")
        return Turner(
            stack=self._by_pairs("stack", 2),
            mismatch_hairpin=self._by_pairs("mismatch_hairpin", 1, 5, 5),
            mismatch_interior=self._by_pairs("mismatch_internal", 1, 5, 5),
            mismatch_interior_1n=self._by_pairs("mismatch_internal_1n", 1, 5, 5),
            mismatch_interior_23=self._by_pairs("mismatch_internal_23", 1, 5, 5),
            mismatch_multi=np.minimum(self._by_pairs("mismatch_multi", 1, 5, 5), 0),
            mismatch_exterior=np.minimum(self._by_pairs("mismatch_exterior", 1, 5, 5), 0),
            dangle5=np.minimum(self._by_pairs("dangle5", 1, 5), 0),
            dangle3=np.minimum(self._by_pairs("dangle3", 1, 5), 0),
            int11=self._by_pairs("int11", 2, 5, 5),
            int21=self._by_pairs("int21", 2, 5, 5, 5),
            int22=self._int22(),
            hairpin=self._table("hairpin", MAX_LOOP + 1),
            bulge=self._table("bulge", MAX_LOOP + 1),
            interior=self._table("internal", MAX_LOOP + 1),
            asymmetry=int(self._rescale(np.array([ninio]), np.array([ninio_enthalpy]))[0]),
            max_asymmetry=int(max_ninio),
            ml_base=ml_base,
            ml_closing=ml_closing,
            ml_stem=ml_stem,
            terminal_au=int(self._rescale(misc[2:3], misc[3:4])[0]),
            log_loop=float(misc[4] * self._factor),
            hexaloops=self._special("Hexaloops"),
            tetraloops=self._special("Tetraloops"),
            triloops=self._special("Triloops"),
        )
