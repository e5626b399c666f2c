"""The effective receptive field: which inputs an output depends on, and how much (Luo et al., arXiv 1701.04128)."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...layers import DepthwiseFFN

M = TypeVar('M', bound=nn.Module)


def has_dwconv(module: nn.Module) -> bool:
    """Whether it has an FFN with a depth-wise convolution."""
    return any(isinstance(m, DepthwiseFFN) and m.dw3x3 is not None for m in module.modules())


def without_dwconv(module: M) -> M:
    """A copy as `with_dwconv=False` builds it, without the convolutions and the norms and GELUs that follow them; all
    other weights are the same."""
    module = deepcopy(module)
    for ffn in module.modules():
        if isinstance(ffn, DepthwiseFFN):
            ffn.dw3x3 = ffn.norm2 = None
    return module


def receptive_field(function: Callable[[Tensor], Tensor], x: Tensor, place: tuple[int, int]) -> np.ndarray:
    """The gradient of one place of a map to the input.

    Args:
        function (callable): (1, C, H, W) to (1, C', H', W').
        x (Tensor): The input.
        place (tuple[int, int]): Row and column of the output; its channels are summed.

    Returns:
        np.ndarray: (H, W), float64: the mean over the input's channels of the gradient's magnitude.
    """
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        function(x)[0, :, place[0], place[1]].sum().backward()
    return x.grad[0].abs().double().mean(0).cpu().numpy()


def shares_of_squares(field: np.ndarray, centre: tuple[int, int]) -> np.ndarray:
    """The parts of the whole that lie in squares of 1, 3, 5, … pixels a side around a pixel (row, column).

    Returns:
        np.ndarray: (squares, ), the last of them 1, or 0 if the field is 0 all over.
    """
    rows, columns = np.indices(field.shape)
    distance = np.maximum(abs(rows - centre[0]), abs(columns - centre[1]))
    sums = np.bincount(distance.ravel(), weights=field.ravel()).cumsum()
    return sums / sums[-1] if sums[-1] > 0 else sums


def sides(field: np.ndarray, centre: tuple[int, int], shares: Sequence[float]) -> list[int]:
    """The sides of the least squares around a pixel (row, column) that hold these parts of the whole, in pixels."""
    parts = shares_of_squares(field, centre)
    return [2 * int(np.searchsorted(parts, share * parts[-1])) + 1 for share in shares]
