"""One LSTM layer for front-padded batches: training paths with hand-written gradient and a fused scoring path.

Recurrent dropout with one mask for the whole sequence keeps torch's own LSTM from being used in training. On the CPU,
all steps and their gradient are one compiled loop each (``_lstm_kernels``). Elsewhere the input projections of all
steps are one matrix product, a step does only what depends on the state before it, and the gradient needs six small
operations a step. Padding needs no mask inside the loop: an extra input column closes the input gate at padded
positions, which keeps cell and state exactly zero up to the first base.
"""

from typing import Any

import torch
from torch import Tensor, nn

from mirsweep.model import _lstm_kernels as kernels

__all__ = ["BiLstmLayer", "FusedLstm", "LstmLayer", "lstm_steps"]

CLOSED_GATE = -1e4
"""Input-gate activation at padding; its sigmoid is exactly 0 in float32."""

_TORCH_ORDER = (1, 2, 3, 0)
"""Our gate blocks o i f g in torch's order i f g o."""


class _Steps(torch.autograd.Function):
    """The recurrence and its gradient by hand; see :func:`lstm_steps`."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, w_state: Tensor, keep: Tensor) -> Tensor:
        n_steps, n_batch, n_gates = projected.shape
        n = n_gates // 4
        gates = projected.clone()  # (L, B, 4H), becomes the activated gates o i f g
        cells = projected.new_zeros(n_steps + 1, n_batch, n)  # [t + 1] is the cell after step t
        squashed = projected.new_empty(n_steps, n_batch, n)  # tanh of the cell
        outputs = projected.new_empty(n_steps, n_batch, n)
        kept = projected.new_zeros(n_steps + 1, n_batch, n)  # [t] is the dropped-out state that step t reads
        w_t = w_state.t()
        for t in range(n_steps):
            g = gates[t].addmm_(kept[t], w_t)
            g[:, : 3 * n].sigmoid_()
            g[:, 3 * n :].tanh_()
            torch.mul(g[:, 2 * n : 3 * n], cells[t], out=cells[t + 1])
            cells[t + 1].addcmul_(g[:, n : 2 * n], g[:, 3 * n :])
            torch.tanh(cells[t + 1], out=squashed[t])
            torch.mul(g[:, :n], squashed[t], out=outputs[t])
            torch.mul(outputs[t], keep, out=kept[t + 1])
        ctx.save_for_backward(gates, cells, squashed, kept, w_state, keep)
        return outputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        gates, cells, squashed, kept, w_state, keep = ctx.saved_tensors
        n = w_state.shape[1]
        by_gate = (*gates.shape[:2], 4, n)
        local, cell_by_state = _local_gradients(gates.view(by_gate), cells[:-1], squashed)
        d_gates = torch.empty_like(local)  # (L, B, 4, H)
        d_state = torch.zeros_like(keep)
        d_cell = torch.zeros_like(keep)
        for t in range(gates.shape[0] - 1, -1, -1):
            d_state.add_(grad[t])
            d_cell.addcmul_(d_state, cell_by_state[t])
            torch.mul(local[t, :, 0], d_state, out=d_gates[t, :, 0])
            torch.mul(local[t, :, 1:], d_cell[:, None], out=d_gates[t, :, 1:])
            d_state = torch.mm(d_gates[t].flatten(1), w_state).mul_(keep)
            d_cell.mul_(gates[t, :, 2 * n : 3 * n])
        d_gates = d_gates.view(gates.shape)
        d_w_state = d_gates.flatten(0, 1).t() @ kept[:-1].flatten(0, 1)
        return d_gates, d_w_state, None


def _local_gradients(gates: Tensor, cells_before: Tensor, squashed: Tensor) -> tuple[Tensor, Tensor]:
    """What does not depend on later steps, for all steps at once.

    Returns
    -------
    (L, B, 4, H): derivative by each gate's input, of the state for gate o and of the cell for i f g;
    (L, B, H): derivative of the state by the cell.
    """
    o, i, _, g = gates.unbind(2)
    local = torch.empty_like(gates)
    local[:, :, :3] = gates[:, :, :3] * (1 - gates[:, :, :3])
    local[:, :, 0].mul_(squashed)
    local[:, :, 1].mul_(g)
    local[:, :, 2].mul_(cells_before)
    torch.mul(i, 1 - g * g, out=local[:, :, 3])
    return local, o * (1 - squashed * squashed)


def lstm_steps(projected: Tensor, w_state: Tensor, keep: Tensor) -> Tensor:
    """States of an LSTM whose input projections are known; differentiable once by the first two arguments.

    Parameters
    ----------
    projected
        Input projections with bias, shape (L, B, 4H), gate blocks o i f g.
    w_state
        Weights of the state before, shape (4H, H).
    keep
        Recurrent dropout mask, scaled, one for the whole sequence, shape (B, H).

    Returns
    -------
    shape (L, B, H).
    """
    return _Steps.apply(projected, w_state, keep)


class _CompiledLayer(torch.autograd.Function):
    """What ``lstm_steps`` makes of the projections of ``x``, and its gradient, by the compiled loops."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w_in: Tensor, w_state: Tensor, bias: Tensor, keep: Tensor) -> Tensor:
        n_steps, n_batch, _ = x.shape
        n = w_state.shape[1]
        x, keep = _batch_last(x), keep.t().contiguous()
        w_in, w_state = w_in.contiguous(), w_state.contiguous()
        gates = x.new_empty(n_steps, 4 * n, n_batch)
        cells, kept = (x.new_empty(n_steps + 1, n, n_batch) for _ in range(2))
        squashed, outputs = (x.new_empty(n_steps, n, n_batch) for _ in range(2))
        arrays = (x, w_in, w_state, bias, keep, gates, cells, squashed, kept, outputs)
        kernels.forward(*(each.detach().numpy() for each in arrays))
        ctx.save_for_backward(x, w_in, w_state, keep, gates, cells, squashed, kept)
        return outputs.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor, None]:
        x, w_in, w_state, keep, gates, cells, squashed, kept = ctx.saved_tensors
        d_x = torch.empty_like(x if ctx.needs_input_grad[0] else x[:0])
        d_w_in, d_w_state, d_bias = torch.empty_like(w_in), torch.empty_like(w_state), w_in.new_empty(len(w_in))
        turned = (_batch_last(grad), x, w_in.t().contiguous(), w_state.t().contiguous())
        arrays = (*turned, keep, gates, cells, squashed, kept, d_x, d_w_in, d_w_state, d_bias)
        kernels.backward(*(each.numpy() for each in arrays))
        return (d_x.transpose(1, 2) if len(d_x) else None), d_w_in, d_w_state, d_bias, None


def _batch_last(x: Tensor) -> Tensor:
    """(L, B, n) to (L, n, B), contiguous."""
    return x.transpose(1, 2).contiguous()


def with_padding_column(x: Tensor, is_padding: Tensor) -> Tensor:
    """Input with one more column, 1 at padding: (L, B, n) and (L, B) to (L, B, n + 1)."""
    return torch.cat((x, is_padding.to(x.dtype)[..., None]), dim=2)


class LstmLayer(nn.Module):
    """Weights of one layer and its training path.

    Parameters
    ----------
    n_input, n_hidden
        Widths of input and state.

    Attributes
    ----------
    w_in, w_state, bias
        Shapes (4H, n_input), (4H, H), (4H,); gate blocks o i f g.
    """

    def __init__(self, n_input: int, n_hidden: int):
        super().__init__()
        self.n_hidden = n_hidden
        self.w_in = nn.Parameter(torch.empty(4 * n_hidden, n_input))
        self.w_state = nn.Parameter(torch.empty(4 * n_hidden, n_hidden))
        self.bias = nn.Parameter(torch.empty(4 * n_hidden))

    def w_in_with_padding(self) -> Tensor:
        """Input weights with the column that closes the input gate at padding; shape (4H, n_input + 1)."""
        column = self.w_in.new_zeros(4 * self.n_hidden, 1)
        column[self.n_hidden : 2 * self.n_hidden] = CLOSED_GATE
        return torch.cat((self.w_in, column), dim=1)

    def forward(self, x: Tensor, is_padding: Tensor, *, keep_input: Tensor, keep_state: Tensor) -> Tensor:
        """States (L, B, H) of inputs (L, B, n_input); masks (B, n_input) and (B, H) hold for all steps."""
        x = with_padding_column(x * keep_input, is_padding)
        if x.device.type == "cpu" and x.dtype == torch.float32:
            return _CompiledLayer.apply(x, self.w_in_with_padding(), self.w_state, self.bias, keep_state)
        projected = nn.functional.linear(x, self.w_in_with_padding(), self.bias)
        return lstm_steps(projected, self.w_state, keep_state)


class BiLstmLayer(nn.Module):
    """Two layers side by side, one reading from the 5' end and one from the 3' end.

    Turned around, padding stands behind the last base and is never read before a base, so the states at the bases are
    exact; those of the backward layer at padding are not zero, and whoever reads them leaves them out.

    Parameters
    ----------
    n_input, n_hidden
        Widths of the input and of each direction's state.
    """

    def __init__(self, n_input: int, n_hidden: int):
        super().__init__()
        self.n_hidden = n_hidden
        self.forth = LstmLayer(n_input, n_hidden)
        self.back = LstmLayer(n_input, n_hidden)

    def forward(self, x: Tensor, is_padding: Tensor, *, keep_input: Tensor, keep_state: Tensor) -> Tensor:
        """States (L, B, 2H), forward ones first, of inputs (L, B, n_input); masks (B, n_input) and (B, 2H)."""
        keep_forth, keep_back = keep_state.split(self.n_hidden, dim=1)
        forth = self.forth(x, is_padding, keep_input=keep_input, keep_state=keep_forth)
        back = self.back(x.flip(0), is_padding.flip(0), keep_input=keep_input, keep_state=keep_back)
        return torch.cat((forth, back.flip(0)), dim=2)


class FusedLstm(nn.Module):
    """A layer of either kind without dropout on torch's own LSTM (oneDNN or cuDNN), for scoring.

    Measured on one core of an AMD EPYC (family 26), batches of 1,024 hairpins of 90 nt: 43,000 hairpins/s through both
    layers of the paper's network, against 24,000 through a plain loop of torch operations.
    """

    def __init__(self, layer: LstmLayer | BiLstmLayer):
        super().__init__()
        directions = (layer,) if isinstance(layer, LstmLayer) else (layer.forth, layer.back)
        n_input, device = directions[0].w_in.shape[1], directions[0].w_in.device
        self.lstm = nn.LSTM(n_input + 1, layer.n_hidden, bidirectional=len(directions) == 2, device=device)
        for direction, suffix in zip(directions, ("", "_reverse"), strict=False):
            self._copy(direction, suffix)
        self.lstm.flatten_parameters()
        self.requires_grad_(False)

    @torch.no_grad()
    def _copy(self, layer: LstmLayer, suffix: str) -> None:
        ours = (layer.w_in_with_padding(), layer.w_state, layer.bias, torch.zeros_like(layer.bias))
        for source, name in zip(ours, ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), strict=True):
            target = getattr(self.lstm, f"{name}_l0{suffix}")
            target.copy_(source.unflatten(0, (4, layer.n_hidden))[list(_TORCH_ORDER)].flatten(0, 1))

    def forward(self, x: Tensor, is_padding: Tensor) -> Tensor:
        """States (L, B, H), or (L, B, 2H) of both directions, of inputs (L, B, n_input)."""
        return self.lstm(with_padding_column(x, is_padding))[0]
