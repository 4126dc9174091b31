"""One convolution over the positions of front-padded batches."""

import torch
from torch import Tensor, nn

__all__ = ["ConvLayer"]


class ConvLayer(nn.Module):
    """Convolution and ReLU that keeps the number of positions; the same for training and scoring.

    Parameters
    ----------
    n_input, n_filters
        Widths of input and output.
    width
        Positions that a filter sees, an odd number.
    """

    def __init__(self, n_input: int, n_filters: int, width: int):
        super().__init__()
        self.conv = nn.Conv1d(n_input, n_filters, width, padding=width // 2)

    def forward(
        self, x: Tensor, is_padding: Tensor, *, keep_input: Tensor | None = None, keep_state: Tensor | None = None
    ) -> Tensor:
        """Features (L, B, n_filters), zero at padding, of inputs (L, B, n_input).

        ``keep_input`` (B, n_input) is the dropout mask of the input; a convolution has no state to drop.
        """
        x = x if keep_input is None else x * keep_input
        x = x.masked_fill(is_padding[..., None], 0)  # what stands beside the first base is as if nothing stood there
        features = torch.relu(self.conv(x.permute(1, 2, 0))).permute(2, 0, 1)
        return features.masked_fill(is_padding[..., None], 0)
