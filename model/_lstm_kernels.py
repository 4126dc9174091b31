"""One LSTM layer on the CPU: all steps forward, and the gradient of all, lanes over the sequences of a batch.

Arrays are time first and batch last, float32. Gate blocks stand in the order o i f g. Products add four inputs at a
time, so that a row of gates is loaded and stored once for four of them.
"""

import numpy as np

from mirsweep.model._numba import fused_kernel, summing_kernel

_f32 = np.float32
_ONE, _TWO, _HALF = _f32(1), _f32(2), _f32(0.5)
_LOG2E, _LN2_HIGH, _LN2_LOW = _f32(1.44269504), _f32(0.693359375), _f32(-2.12194440e-4)
_ROUNDER = _f32(12582912.0)  # 1.5 * 2**23: adding it rounds to a whole number
_EXPONENT_OFFSET = 0x4B400000 - 127  # from the bits of such a sum to the bits of an exponent
_HIGHEST, _LOWEST = _f32(88.0), _f32(-87.0)
_EXP = tuple(map(_f32, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)))
_TANH = tuple(map(_f32, (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)))
_SMALL = _f32(0.625)
_ZERO = _f32(0)


@fused_kernel
def _exp(x):
    """e**x to 2 units in the last place, 0 below -87; Cephes' polynomial."""
    x = min(x, _HIGHEST)
    y = max(x, _LOWEST)
    shifted = np.float32(y * _LOG2E + _ROUNDER)
    n = shifted - _ROUNDER
    y = y - n * _LN2_HIGH
    y = y - n * _LN2_LOW
    p = _EXP[0]
    p = p * y + _EXP[1]
    p = p * y + _EXP[2]
    p = p * y + _EXP[3]
    p = p * y + _EXP[4]
    p = p * y + _EXP[5]
    p = p * y * y + y + _ONE
    power = np.int32((shifted.view(np.int32) - _EXPONENT_OFFSET) << 23).view(np.float32)
    return p * power if x >= _LOWEST else _ZERO


@fused_kernel
def _sigmoid(x):
    """Logistic function; exactly 0 below -87."""
    e = _exp(x)
    return e / (_ONE + e)


@fused_kernel
def _tanh(x):
    """Hyperbolic tangent; Cephes' polynomial near 0, by the exponential elsewhere."""
    z = x * x
    p = _TANH[0]
    p = p * z + _TANH[1]
    p = p * z + _TANH[2]
    p = p * z + _TANH[3]
    p = p * z + _TANH[4]
    near = p * z * x + x
    far = _ONE - _TWO / (_exp(_TWO * x) + _ONE)
    return near if abs(x) < _SMALL else far


@fused_kernel
def _add_products(weights, rows, out):
    """Add to ``out`` (B) the sum of ``weights`` (n) times ``rows`` (n, B)."""
    n, n_lanes = rows.shape
    k = 0
    while k + 4 <= n:
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        r0, r1, r2, r3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        for b in range(n_lanes):
            out[b] += w0 * r0[b] + w1 * r1[b] + w2 * r2[b] + w3 * r3[b]
        k += 4
    while k < n:
        w0, r0 = weights[k], rows[k]
        for b in range(n_lanes):
            out[b] += w0 * r0[b]
        k += 1


@summing_kernel
def _add_outer(left, right, out):
    """Add to ``out`` (m, n) the products of ``left`` (m, B) and ``right`` (n, B), summed over B; m a multiple of 4."""
    m, n_lanes = left.shape
    for j in range(0, m, 4):
        l0, l1, l2, l3 = left[j], left[j + 1], left[j + 2], left[j + 3]
        for k in range(right.shape[0]):
            r = right[k]
            s0 = s1 = s2 = s3 = _ZERO
            for b in range(n_lanes):
                s0 += l0[b] * r[b]
                s1 += l1[b] * r[b]
                s2 += l2[b] * r[b]
                s3 += l3[b] * r[b]
            out[j, k] += s0
            out[j + 1, k] += s1
            out[j + 2, k] += s2
            out[j + 3, k] += s3


@fused_kernel
def forward(x, w_in, w_state, bias, keep, gates, cells, squashed, kept, outputs):
    """All steps of a layer.

    Parameters
    ----------
    x
        Inputs, shape (L, n, B).
    w_in, w_state, bias
        Shapes (4H, n), (4H, H), (4H,).
    keep
        Dropout mask of the state, shape (H, B).
    gates
        Output: the activated gates, shape (L, 4H, B).
    cells, kept
        Output: cell and dropped-out state before each step and after the last, shape (L + 1, H, B); row 0 is zero.
    squashed, outputs
        Output: tanh of the cell and the state after each step, shape (L, H, B).
    """
    n_steps, n_gates, n_lanes = gates.shape
    n = n_gates // 4
    cells[0] = _ZERO
    kept[0] = _ZERO
    for t in range(n_steps):
        for j in range(n_gates):
            row = gates[t, j]
            row[:] = bias[j]
            _add_products(w_in[j], x[t], row)
            _add_products(w_state[j], kept[t], row)
            if j < 3 * n:
                for b in range(n_lanes):
                    row[b] = _sigmoid(row[b])
            else:
                for b in range(n_lanes):
                    row[b] = _tanh(row[b])
        for h in range(n):
            o, i, f, g = gates[t, h], gates[t, n + h], gates[t, 2 * n + h], gates[t, 3 * n + h]
            before, after, q, y = cells[t, h], cells[t + 1, h], squashed[t, h], outputs[t, h]
            mask, z = keep[h], kept[t + 1, h]
            for b in range(n_lanes):
                after[b] = f[b] * before[b] + i[b] * g[b]
                q[b] = _tanh(after[b])
                y[b] = o[b] * q[b]
                z[b] = y[b] * mask[b]


@fused_kernel
def backward(grad, x, w_in_t, w_state_t, keep, gates, cells, squashed, kept, d_x, d_w_in, d_w_state, d_bias):
    """Gradient of a layer, by the chain rule back through the steps.

    Parameters
    ----------
    grad
        Gradient by the states, shape (L, H, B).
    w_in_t, w_state_t
        Weights turned around, shapes (n, 4H), (H, 4H).
    x, keep, gates, cells, squashed, kept
        As in ``forward``.
    d_x
        Output: gradient by the inputs, shape (L, n, B), or (0, n, B) where it is not wanted.
    d_w_in, d_w_state, d_bias
        Output: gradient by the weights, shapes as theirs.
    """
    n_steps, n_gates, n_lanes = gates.shape
    n = n_gates // 4
    d_gates = np.empty((n_gates, n_lanes), np.float32)
    d_state, d_cell = np.zeros((n, n_lanes), np.float32), np.zeros((n, n_lanes), np.float32)
    ones = np.ones((1, n_lanes), np.float32)
    d_bias_column = d_bias.reshape(n_gates, 1)
    d_w_in[:] = _ZERO
    d_w_state[:] = _ZERO
    d_bias[:] = _ZERO
    for t in range(n_steps - 1, -1, -1):
        for h in range(n):
            o, i, f, g = gates[t, h], gates[t, n + h], gates[t, 2 * n + h], gates[t, 3 * n + h]
            d_o, d_i, d_f, d_g = d_gates[h], d_gates[n + h], d_gates[2 * n + h], d_gates[3 * n + h]
            before, q, ds, dc, up = cells[t, h], squashed[t, h], d_state[h], d_cell[h], grad[t, h]
            for b in range(n_lanes):
                s = ds[b] + up[b]
                c = dc[b] + s * o[b] * (_ONE - q[b] * q[b])
                d_o[b] = s * q[b] * o[b] * (_ONE - o[b])
                d_i[b] = c * g[b] * i[b] * (_ONE - i[b])
                d_f[b] = c * before[b] * f[b] * (_ONE - f[b])
                d_g[b] = c * i[b] * (_ONE - g[b] * g[b])
                dc[b] = c * f[b]
        _add_outer(d_gates, x[t], d_w_in)
        _add_outer(d_gates, kept[t], d_w_state)
        _add_outer(d_gates, ones, d_bias_column)
        for h in range(n):
            row, mask = d_state[h], keep[h]
            row[:] = _ZERO
            _add_products(w_state_t[h], d_gates, row)
            for b in range(n_lanes):
                row[b] *= mask[b]
        if d_x.shape[0]:
            for k in range(x.shape[1]):
                row = d_x[t, k]
                row[:] = _ZERO
                _add_products(w_in_t[k], d_gates, row)
