"""Loops of encode.py: letters to joint tokens, one pass over a batch."""

import numpy as np

from mirsweep.model._numba import inner_kernel, kernel

BAD_BASE, BAD_SYMBOL, UNBALANCED = 1, 2, 3
NOT_A_BASE = NOT_A_SYMBOL = 255

BASE_OF = np.full(256, NOT_A_BASE, np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "UuTt")):
    for _letter in _letters:
        BASE_OF[ord(_letter)] = _code

OPEN, CLOSE, DOT, LOOP = 0, 1, 2, 3
SYMBOL_OF = np.full(256, NOT_A_SYMBOL, np.uint8)
for _code, _letter in enumerate("()."):
    SYMBOL_OF[ord(_letter)] = _code


@inner_kernel
def encode_row(bases, symbols, row):
    """Tokens of one hairpin at the end of a row; the row's front stays as it is.

    Shapes (n),(n)->(w), w >= n; all uint8, ``bases`` and ``symbols`` in ASCII.

    Returns
    -------
    (error, position): error 0, or BAD_BASE, BAD_SYMBOL, UNBALANCED at the 0-based position.
    """
    shift = row.shape[0] - bases.shape[0]
    depth = 0
    opened = -1  # last opening bracket while nothing but dots has followed it
    for i in range(bases.shape[0]):
        base = BASE_OF[bases[i]]
        symbol = SYMBOL_OF[symbols[i]]
        if base == NOT_A_BASE:
            return BAD_BASE, i
        if symbol == NOT_A_SYMBOL:
            return BAD_SYMBOL, i
        row[shift + i] = 4 * base + symbol + 1
        if symbol == OPEN:
            depth += 1
            opened = i
        elif symbol == CLOSE:
            depth -= 1
            if depth < 0:
                return UNBALANCED, i
            if opened >= 0:
                for j in range(opened + 1, i):
                    row[shift + j] += LOOP - DOT
            opened = -1
    if depth != 0:
        return UNBALANCED, bases.shape[0] - 1
    return 0, 0


@kernel
def encode_batch(bases, symbols, offsets, tokens):
    """Tokens of a batch, right-aligned.

    Shapes (t),(t),(n+1)->(n,w): record i is ``bases[offsets[i] : offsets[i + 1]]``; ``tokens`` comes filled with 0.

    Returns
    -------
    (error, record, position) of the first bad record; error 0 if there is none.
    """
    for i in range(tokens.shape[0]):
        start, end = offsets[i], offsets[i + 1]
        error, position = encode_row(bases[start:end], symbols[start:end], tokens[i])
        if error != 0:
            return error, i, position
    return 0, 0, 0


@kernel
def add_partners(tokens, n_tokens, stack):
    """Add ``n_tokens`` times (1 + base of the pairing partner) to the tokens of paired bases.

    Shapes (n,w),(),(w): ``tokens`` as :func:`encode_batch` leaves them, their brackets in pairs; ``stack`` is scratch.
    """
    for i in range(tokens.shape[0]):
        depth = 0
        for j in range(tokens.shape[1]):
            if tokens[i, j] == 0:
                continue
            base, symbol = (tokens[i, j] - 1) // 4, (tokens[i, j] - 1) % 4
            if symbol == OPEN:
                stack[depth] = j
                depth += 1
            elif symbol == CLOSE:
                depth -= 1
                k = stack[depth]
                opened = (tokens[i, k] - 1) // 4
                tokens[i, k] += n_tokens * (1 + base)
                tokens[i, j] += n_tokens * (1 + opened)
