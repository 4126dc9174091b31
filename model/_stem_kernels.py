"""Loops of stem.py: a hairpin laid out as columns from the terminal loop outwards, and matches to known matures."""

import numpy as np

from mirsweep.model._encode_kernels import BASE_OF, NOT_A_BASE, NOT_A_SYMBOL, SYMBOL_OF
from mirsweep.model._numba import inner_kernel, kernel

LEFT, RIGHT = 0, 1
UNPAIRED, STEM, LOOP, BRANCH = 1, 5, 9, 13
"""First token of a kind; the base 0-3 = A C G U is added."""
FLANK = 17
"""Token of a flank column on the left row; 1 is added for a wobble, 2 for a Watson-Crick pair."""
COLUMN_UNIT = 40.0
"""Columns: what the networks read distances from apex and end in."""
NOWHERE = -1e4
"""Log-weight of a column that cannot be; within reach of half precision."""
MATCH_NT = 14
"""Length of the k-mers that the library of mature sequences holds, nt."""
_WORD_MASK = (1 << (2 * MATCH_NT)) - 1
_TABLE_BITS = 21
"""Of the table of 14-mers, 256 kB: 8 % of its bits are set by the 14-mers of all known mature sequences."""
OPEN, CLOSE = ord("("), ord(")")


@inner_kernel
def find_partners(symbols, partners, stack):
    """Partner of each base, -1 for none, and the terminal loop that most pairs enclose, the first if they tie.

    Shapes (n),(n),(n)->2: ASCII dot-bracket with brackets in pairs; partners and stack int32.

    Returns
    -------
    Loop as (start, end), 0-based half-open; the empty one in the middle where nothing pairs.
    """
    n = symbols.size
    depth = best_depth = 0
    start = end = n // 2
    last_open = -1
    for i in range(n):
        partners[i] = -1
        if symbols[i] == OPEN:
            stack[depth] = i
            depth += 1
            last_open = i
        elif symbols[i] == CLOSE:
            if last_open >= 0 and depth > best_depth:
                best_depth = depth
                start, end = last_open + 1, i
            last_open = -1
            depth -= 1
            partners[i] = stack[depth]
            partners[stack[depth]] = i
    return start, end


@inner_kernel
def _put(tokens, places, column, row, kind, bases, i):
    tokens[column, row] = kind + bases[i]
    places[column, row] = i


@inner_kernel
def lay_out(bases, partners, loop_start, loop_end, tokens, places):
    """Columns of one hairpin.

    Shapes (n),(n),(),(),(c,2),(c,2): tokens uint8 filled with 0, places int16 filled with -1, c >= n.

    Returns
    -------
    Number of columns.
    """
    n = bases.size
    n_loop = loop_end - loop_start
    half = (n_loop + 1) // 2
    shift = n_loop % 2  # an odd loop has a base without opposite at its apex
    for column in range(half):
        _put(tokens, places, column, LEFT, LOOP, bases, loop_start + half - 1 - column)
        right = loop_start + half + column - shift
        if column >= shift:
            _put(tokens, places, column, RIGHT, LOOP, bases, right)
    column = half
    left, right = loop_start - 1, loop_end
    while left >= 0 or right < n:
        next_left = left
        while next_left >= 0 and partners[next_left] < right:
            next_left -= 1
        next_right = partners[next_left] if next_left >= 0 else n
        n_left, n_right = left - next_left, next_right - right
        for step in range(max(n_left, n_right)):
            if step < n_left:
                i = left - step
                _put(tokens, places, column, LEFT, UNPAIRED if partners[i] < 0 else BRANCH, bases, i)
            if step < n_right:
                i = right + step
                _put(tokens, places, column, RIGHT, UNPAIRED if partners[i] < 0 else BRANCH, bases, i)
            column += 1
        if next_left >= 0:
            _put(tokens, places, column, LEFT, STEM, bases, next_left)
            _put(tokens, places, column, RIGHT, STEM, bases, next_right)
            column += 1
        left, right = next_left - 1, next_right + 1
    return column


@inner_kernel
def _pairing(a, b):
    """0 for no pair, 1 for a wobble, 2 for Watson-Crick; 4 and more pair with nothing."""
    if a > 3 or b > 3:
        return 0
    return 2 if a + b == 3 else (1 if a + b == 5 else 0)


@inner_kernel
def _bit_of(word):
    """Place of a 14-mer in the table of those that may be there: byte, and bit."""
    spread = (word * 0x9E3779B1) & 0xFFFFFFFF
    place = spread >> (32 - _TABLE_BITS)
    return place >> 3, np.uint8(1 << (place & 7))


@inner_kernel
def mark_matches(bases, words, species, own, table, is_match):
    """Which bases lie in a 14-mer that another species' known mature sequences hold.

    Shapes (n),(w),(w),(),(b),(n): words, the 14-mers as numbers, ascending; ``species`` of each, 0 where several have
    it; table: a bit for each word, so that most others need no search; is_match uint8.
    """
    word = 0
    for i in range(bases.size):
        word = ((word << 2) | bases[i]) & _WORD_MASK
        if i < MATCH_NT - 1:
            continue
        byte, bit = _bit_of(word)
        if not table[byte] & bit:
            continue
        k = np.searchsorted(words, word)
        if k < words.size and words[k] == word and (species[k] == 0 or species[k] != own):
            is_match[i - MATCH_NT + 1 : i + 1] = 1


@inner_kernel
def _read(letters, symbols, bases):
    """Base codes of a hairpin in ASCII; False if a letter is no base, or the brackets do not pair. (n),(n)->(n)."""
    depth = 0
    for i in range(letters.size):
        bases[i] = BASE_OF[letters[i]]
        if bases[i] == NOT_A_BASE or SYMBOL_OF[symbols[i]] == NOT_A_SYMBOL:
            return False
        depth += symbols[i] == OPEN
        depth -= symbols[i] == CLOSE
        if depth < 0:
            return False
    return depth == 0


@inner_kernel
def _lay_out_flanks(before, after, tokens):
    """Flank columns, nearest to the hairpin first. Shapes (a),(b)->(f,2): ASCII, 5' to 3'."""
    for step in range(tokens.shape[0]):
        left = BASE_OF[before[before.size - 1 - step]] if step < before.size else NOT_A_BASE
        right = BASE_OF[after[step]] if step < after.size else NOT_A_BASE
        tokens[step, LEFT] = FLANK + _pairing(left, right)


@kernel
def lay_out_batch(hairpins, flanks, library, own, tokens, matches, places, n_columns):
    """Columns of a batch.

    Shapes ((t),(t),(n+1)),((a),(n+1),(b),(n+1),(n),()),((w),(w)),(n)->(n,c,2),(n,c,2),(n,c,2),(n):
    hairpins: sequences and structures end to end in ASCII, and where each begins; flanks: what precedes and what
    follows each, which of them have flank columns, and how many; tokens and matches uint8 filled with 0, places int16
    filled with -1.

    Returns
    -------
    False if one of them is malformed.
    """
    letters, symbols, offsets = hairpins
    before, before_at, after, after_at, has_flank, n_flank = flanks
    longest = 0
    for k in range(n_columns.size):
        longest = max(longest, offsets[k + 1] - offsets[k])
    partners, stack = np.empty(longest, np.int32), np.empty(longest, np.int32)
    bases, is_match = np.empty(longest, np.uint8), np.empty(longest, np.uint8)
    table = np.zeros(1 << (_TABLE_BITS - 3), np.uint8)
    for word in library[0]:
        byte, bit = _bit_of(word)
        table[byte] |= bit
    for k in range(n_columns.size):
        start, end = offsets[k], offsets[k + 1]
        n = end - start
        if not _read(letters[start:end], symbols[start:end], bases[:n]):
            return False
        loop_start, loop_end = find_partners(symbols[start:end], partners, stack)
        n_laid = lay_out(bases[:n], partners[:n], loop_start, loop_end, tokens[k], places[k])
        is_match[:n] = 0
        mark_matches(bases[:n], library[0], library[1], own[k], table, is_match)
        for column in range(n_laid):
            for row in range(2):
                if places[k, column, row] >= 0:
                    matches[k, column, row] = is_match[places[k, column, row]]
        if has_flank[k]:
            own_before, own_after = before[before_at[k] : before_at[k + 1]], after[after_at[k] : after_at[k + 1]]
            _lay_out_flanks(own_before, own_after, tokens[k, n_laid : n_laid + n_flank])
            n_laid += n_flank
        n_columns[k] = n_laid
    return True
