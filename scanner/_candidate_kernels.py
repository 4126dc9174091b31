"""Loops over many candidates at once: their letters cut out of the genome, what is counted in them, terminal loops."""

from mirsweep.scanner._numba import inner_kernel, kernel

OPEN, CLOSE = ord("("), ord(")")
G, C = ord("G"), ord("C")


@kernel
def cut_out(codes, starts, ends, is_minus, letters_of, offsets, out):
    """Letters of intervals, 5' to 3' on their strands, end to end.

    Shapes (n),(k),(k),(k),(5),(k+1)->(t): base codes of the forward strand, 4 for what is no base; their RNA letters in
    ASCII.
    """
    for k in range(starts.size):
        at = offsets[k]
        if is_minus[k]:
            for i in range(ends[k] - 1, starts[k] - 1, -1):
                out[at] = letters_of[3 - codes[i] if codes[i] < 4 else 4]
                at += 1
        else:
            for i in range(starts[k], ends[k]):
                out[at] = letters_of[codes[i]]
                at += 1


@inner_kernel
def _terminal_loop(symbols):
    """As ``fold.terminal_loops`` has it. Shape (n), ASCII."""
    start = end = best_depth = depth = 0
    last_open = -1
    for i in range(symbols.size):
        if symbols[i] == OPEN:
            depth += 1
            last_open = i
        elif symbols[i] == CLOSE:
            if last_open >= 0 and depth > best_depth:
                start, end, best_depth = last_open + 1, i, depth
            last_open = -1
            depth -= 1
    return start, end


@kernel
def terminal_loops(symbols, offsets, out):
    """Terminal loop of each structure. Shapes (t),(n+1)->(n,2)."""
    for k in range(offsets.size - 1):
        out[k, 0], out[k, 1] = _terminal_loop(symbols[offsets[k] : offsets[k + 1]])


@kernel
def count_pairs_and_gc(letters, symbols, offsets, n_pairs, n_gc):
    """Base pairs of each structure, and letters G and C of each sequence. Shapes (t),(t),(n+1)->(n),(n)."""
    for k in range(offsets.size - 1):
        n_pairs[k] = n_gc[k] = 0
        for i in range(offsets[k], offsets[k + 1]):
            n_pairs[k] += symbols[i] == OPEN
            n_gc[k] += (letters[i] == G) | (letters[i] == C)
