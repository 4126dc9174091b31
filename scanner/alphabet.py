"""Bases as small integers: A C G U = 0 1 2 3, everything else = 4 (breaks a hairpin)."""

import numpy as np

__all__ = ["BREAK", "LETTERS", "decode", "encode", "reverse_complement", "soft_masked"]

BREAK = 4
_CODES = np.full(256, BREAK, np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "UuTt")):
    for _letter in _letters:
        _CODES[ord(_letter)] = _code
LETTERS = np.frombuffer(b"ACGUN", np.uint8)
_COMPLEMENT = np.array([3, 2, 1, 0, BREAK], np.uint8)


def encode(bases: bytes | np.ndarray) -> np.ndarray:
    """Base codes of an ASCII sequence, DNA or RNA, upper or lower case.

    Returns
    -------
    uint8, shape (n,): 0-3 = A C G U (T is read as U), 4 = any other letter.
    """
    return _CODES[np.frombuffer(bases, np.uint8)]


def soft_masked(bases: bytes | np.ndarray) -> np.ndarray:
    """Which bases are lower case (soft-masked); bool, shape (n,)."""
    ascii_codes = np.frombuffer(bases, np.uint8)
    return (ascii_codes >= ord("a")) & (ascii_codes <= ord("z"))


def decode(codes: np.ndarray) -> str:
    """RNA letters of base codes; code 4 becomes N."""
    return LETTERS[codes].tobytes().decode("ascii")


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Base codes of the other strand, 5' to 3'; uint8, shape (n,)."""
    return _COMPLEMENT[codes[::-1]]
