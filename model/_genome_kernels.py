"""The genome model's network on the CPU, for scoring: hairpins end to end in one long row, lanes over the columns.

A row holds the columns of many hairpins with gaps of zeros between them, wider than any layer reaches, so that each
hairpin stands by itself and nothing is padded to the widest. Channel h of the row lies at ``h * stride``. Rows are
multiples of ``LANES`` long: every column is computed by the same instructions, wherever it stands.
"""

import numpy as np

from mirsweep.model._lstm_kernels import _exp
from mirsweep.model._numba import inner_fused_kernel, inner_kernel, inner_summing_kernel, kernel
from mirsweep.model._stem_kernels import BRANCH, COLUMN_UNIT, FLANK, LEFT, LOOP, NOWHERE, RIGHT, STEM

LANES = 64
"""Columns that a vector loop takes at once, at most."""
TERMS, SUMS = 5, 4
"""Products that are added to a sum at once, and sums that are made side by side: what the registers hold."""
_ROOM = 1024
"""Columns of a row: 200 kB of states, which the second-level cache holds."""
_f32 = np.float32
_ZERO, _ONE = _f32(0), _f32(1)
_UNIT = _f32(1 / COLUMN_UNIT)
_NOWHERE = _f32(NOWHERE)


@inner_fused_kernel
def _four_sums(x, shifts, weights, bias, n, out):
    """Four weighted sums of shifted rows. Shapes (s),(t),(4,t),(4),()->(4,m), t a multiple of ``TERMS``."""
    a, b, c, d = out[0], out[1], out[2], out[3]
    bias_a, bias_b, bias_c, bias_d = bias[0], bias[1], bias[2], bias[3]
    for k in range(n):
        a[k], b[k], c[k], d[k] = bias_a, bias_b, bias_c, bias_d
    for t in range(0, shifts.size, TERMS):
        x0, x1, x2 = x[shifts[t] :], x[shifts[t + 1] :], x[shifts[t + 2] :]
        x3, x4 = x[shifts[t + 3] :], x[shifts[t + 4] :]
        a0, a1, a2, a3, a4 = weights[0, t], weights[0, t + 1], weights[0, t + 2], weights[0, t + 3], weights[0, t + 4]
        b0, b1, b2, b3, b4 = weights[1, t], weights[1, t + 1], weights[1, t + 2], weights[1, t + 3], weights[1, t + 4]
        c0, c1, c2, c3, c4 = weights[2, t], weights[2, t + 1], weights[2, t + 2], weights[2, t + 3], weights[2, t + 4]
        d0, d1, d2, d3, d4 = weights[3, t], weights[3, t + 1], weights[3, t + 2], weights[3, t + 3], weights[3, t + 4]
        for k in range(n):
            v, w, y, z, u = x0[k], x1[k], x2[k], x3[k], x4[k]
            a[k] = a[k] + a0 * v + a1 * w + a2 * y + a3 * z + a4 * u
            b[k] = b[k] + b0 * v + b1 * w + b2 * y + b3 * z + b4 * u
            c[k] = c[k] + c0 * v + c1 * w + c2 * y + c3 * z + c4 * u
            d[k] = d[k] + d0 * v + d1 * w + d2 * y + d3 * z + d4 * u


@inner_fused_kernel
def _add_positive(x, y, mask, n):
    """Add what is above 0 of y to x, at real columns; what is not a number stays one. Shapes (m),(m),(m),()."""
    for k in range(n):
        v = _ZERO if y[k] < _ZERO else y[k]
        x[k] = x[k] + v * mask[k]


@inner_fused_kernel
def _first_layer(tokens, matches, n, first, out):
    """The first layer of a hairpin, before what is below 0 is cut: what each base adds, at every column in reach.

    Shapes (c,2),(c,2),(),(tokens,t),(tokens,t),(t),(t),(t)->(s): t is kernel times channels, the last tap first; column
    k of the output begins at ``k + kernel // 2`` times the number of channels, of which ``first`` tells the number.
    """
    left, right, apex, end, bias = first
    n_channels, reach = bias.size, left.shape[1]
    for k in range(0, (n - 1) * n_channels + reach, n_channels):
        for h in range(n_channels):
            out[k + h] = bias[h]
    for column in range(n):
        of_left = left[2 * tokens[column, LEFT] + matches[column, LEFT]]
        of_right = right[2 * tokens[column, RIGHT] + matches[column, RIGHT]]
        from_apex, to_end = _f32(column) * _UNIT, _f32(n - column) * _UNIT
        own = out[column * n_channels :]
        for k in range(reach):
            own[k] = own[k] + (of_left[k] + of_right[k]) + (apex[k] * from_apex + end[k] * to_end)


@inner_kernel
def _turn(columns, n, n_channels, x, stride, at):
    """Columns (n * h) as rows of a channel each, what is below 0 cut; what is not a number stays one."""
    for h in range(n_channels):
        row = x[h * stride + at :]
        for column in range(n):
            value = columns[column * n_channels + h]
            row[column] = _ZERO if value < _ZERO else value


@inner_summing_kernel
def _dot(a, b, n):
    total = _ZERO
    for k in range(n):
        total += a[k] * b[k]
    return total


@inner_summing_kernel
def _total(a, n):
    total = _ZERO
    for k in range(n):
        total += a[k]
    return total


@inner_fused_kernel
def _soft(logits, n, out):
    """Softmax. Shapes (m),()->(m)."""
    highest = logits[0]
    for k in range(n):
        highest = max(highest, logits[k])
    for k in range(n):
        out[k] = _exp(logits[k] - highest)
    scale = _ONE / _total(out, n)
    for k in range(n):
        out[k] = out[k] * scale


@inner_kernel
def _highest(a, n):
    highest = _ZERO  # no state is below
    for k in range(n):
        highest = max(highest, a[k])
    return highest


@inner_fused_kernel
def _describe(tokens, matches, n, out):
    """The six figures of a whole hairpin, see ``genome_net._summary``. Shapes (c,2),(c,2),()->(6)."""
    n_bases = n_stem = n_loop = n_branch = n_gc = n_matched = 0
    for column in range(n):
        for row in range(2):
            token = tokens[column, row]
            n_matched += matches[column, row]
            if token == 0 or token >= FLANK:
                continue
            n_bases += 1
            n_stem += (token >= STEM) & (token < LOOP)
            n_loop += (token >= LOOP) & (token < BRANCH)
            n_branch += token >= BRANCH
            base = (token - 1) & 3
            n_gc += (base == 1) | (base == 2)
    n_bases = max(n_bases, 1)
    out[0], out[1], out[2] = n_bases / 100, n_stem / n_bases, n_loop / 10
    out[3], out[4], out[5] = n_gc / n_bases, n_branch / 10, n_matched / 20


@inner_fused_kernel
def _classify(pooled, dense, bias, output, output_bias, hidden, out):
    """Dense layer and log-odds. Shapes (z),(z,d),(d),(d,2),(2),(d)->(2)."""
    for j in range(hidden.size):
        hidden[j] = bias[j]
    for i in range(pooled.size):
        value, row = pooled[i], dense[i]
        for j in range(hidden.size):
            hidden[j] = hidden[j] + value * row[j]
    out[0], out[1] = output_bias[0], output_bias[1]
    for j in range(hidden.size):
        value = _ZERO if hidden[j] < _ZERO else hidden[j]
        out[0] += value * output[j, 0]
        out[1] += value * output[j, 1]


@inner_fused_kernel
def _log_shares(logits, tokens, n, row, buffer, out):
    """Log probability of each base of an arm to be an end, ``NOWHERE`` elsewhere. Shapes (m),(c,2),(),(),(m)->(c)."""
    highest = _NOWHERE
    for k in range(n):
        is_base = (tokens[k, row] > 0) & (tokens[k, row] < FLANK)
        buffer[k] = logits[k] if is_base else _NOWHERE
        highest = max(highest, buffer[k])
    total = _ZERO
    for k in range(n):
        total += _exp(buffer[k] - highest)
    shift = highest + _f32(np.log(total))
    for k in range(out.size):
        out[k] = max(buffer[k] - shift, _NOWHERE) if k < n else _NOWHERE


@inner_kernel
def _pooled(x, stride, at, n, n_channels, attention, out):
    """Each head's weighted sum, maximum and mean of the states of a hairpin. Shapes (s),...,(a,m)->((a+2)*h)."""
    n_heads = attention.shape[0]
    for h in range(n_channels):
        states = x[h * stride + at :]
        for a in range(n_heads):
            out[a * n_channels + h] = _dot(attention[a], states, n)
        out[n_heads * n_channels + h] = _highest(states, n)
        out[(n_heads + 1) * n_channels + h] = _total(states, n) / _f32(max(n, 1))


@kernel
def forward(tokens, matches, n_columns, first, layers, heads, last, n_heads, logits, ends, attention):
    """Log-odds of hairpins, log probabilities of the ends of their mature sequences, and attention.

    Shapes (n,c,2),(n,c,2),(n): tokens and matches uint8;
    first: what each token, twice it plus whether it matches, adds to each channel at each tap, the last first, left and
    right (2*tokens, k*h), what the distances from apex and to the end are multiplied by (k*h), (k*h), and the bias (h);
    layers: weights (l,h,r), biases (l,h), shifts (l,r) of the residual convolutions, of columns within a channel, and
    the channel of each (r);
    heads: weights (e,r1), biases (e) of attention and then ends, and the channel of each (r1);
    last: dense (z,d), its bias, output (d,2), its bias; numbers of attention heads;
    ->(n,2),(n,4,c),(n,c): ends is not computed where it has no rows, nor attention, the mean of the heads, where it
    has no columns.
    """
    weights, biases, shifts, channels = layers
    n_channels, n_ends = biases.shape[1], ends.shape[1]
    gap, widest = 0, _ROOM
    for layer in range(shifts.shape[0]):
        for t in range(shifts.shape[1]):
            gap = max(gap, shifts[layer, t])
    for k in range(n_columns.size):
        widest = max(widest, n_columns[k] + gap)
    room = LANES * (-(-widest // LANES))
    stride = room + 2 * gap
    x, new = np.zeros(n_channels * stride, _f32), np.empty((n_channels, room), _f32)
    mask, shares = np.empty(room, _f32), np.empty((n_heads, room), _f32)
    heads_out = np.empty((heads[0].shape[0], room), _f32)
    columns, pooled = np.empty((room + first[0].shape[1]) * n_channels, _f32), np.empty(last[0].shape[0], _f32)
    first_column = first[0].shape[1] // n_channels // 2 * n_channels
    hidden, buffer = np.empty(last[1].size, _f32), np.empty(room, _f32)
    starts = np.empty(room, np.int64)
    offsets, head_offsets = np.empty(channels.size, np.int64), np.empty(heads[2].size, np.int64)
    for t in range(head_offsets.size):
        head_offsets[t] = gap + heads[2][t] * stride
    k = 0
    while k < n_columns.size:
        used, n_here = 0, 0
        while k + n_here < n_columns.size and used + n_columns[k + n_here] <= room and n_here < room:
            starts[n_here] = used
            used += n_columns[k + n_here] + gap
            n_here += 1
        width = min(room, LANES * (-(-used // LANES)))
        for h in range(n_channels):
            for column in range(width + 2 * gap):
                x[h * stride + column] = _ZERO
        for column in range(width):
            mask[column] = _ZERO
        for m in range(n_here):
            n = n_columns[k + m]
            for column in range(n):
                mask[starts[m] + column] = _ONE
            _first_layer(tokens[k + m], matches[k + m], n, first, columns)
            _turn(columns[first_column:], n, n_channels, x, stride, gap + starts[m])
        for layer in range(biases.shape[0] + 1):  # the heads last: one call of what takes long to compile
            is_last = layer == biases.shape[0]
            if not is_last:
                for t in range(offsets.size):
                    offsets[t] = gap + channels[t] * stride + shifts[layer, t]
            own_weights, own_biases = (heads[0], heads[1]) if is_last else (weights[layer], biases[layer])
            own_offsets, target = (head_offsets, heads_out) if is_last else (offsets, new)
            for h in range(0, own_biases.size, SUMS):
                block = slice(h, h + SUMS)
                _four_sums(x, own_offsets, own_weights[block], own_biases[block], width, target[block])
            if not is_last:
                for h in range(n_channels):
                    _add_positive(x[h * stride + gap :], new[h], mask, width)
        for m in range(n_here):
            row, at, n = k + m, starts[m], n_columns[k + m]
            for a in range(n_heads):
                _soft(heads_out[a, at:], n, shares[a])
            for column in range(min(n, attention.shape[1])):
                attention[row, column] = _ZERO
                for a in range(n_heads):
                    attention[row, column] += shares[a, column] / _f32(n_heads)
            _pooled(x, stride, gap + at, n, n_channels, shares, pooled)
            _describe(tokens[row], matches[row], n, pooled[pooled.size - 6 :])
            _classify(pooled, last[0], last[1], last[2], last[3], hidden, logits[row])
            for e in range(n_ends):
                _log_shares(heads_out[n_heads + e, at:], tokens[row], n, e // 2, buffer, ends[row, e])
        k += n_here
