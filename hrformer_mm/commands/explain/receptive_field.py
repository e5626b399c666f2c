"""Effective receptive fields: how much an output depends on each input (Luo et al., arXiv:1701.04128)."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...layers import HRFormerBlock
from ...models import HRFormer
from .windows import Window


def with_and_without_dwconv(backbone: HRFormer) -> dict[str, HRFormer]:
    """Return the backbone and a copy without depth-wise convolutions, by name.

    The copy also lacks the norms and GELUs that follow the convolutions, as with `with_dwconv=False`; all other weights
    are unchanged. A backbone without depth-wise convolutions is returned alone.
    """
    bare = deepcopy(backbone)
    ffns = [module.ffn for module in bare.modules() if isinstance(module, HRFormerBlock)]
    if all(ffn.dw3x3 is None for ffn in ffns):
        return dict(without_dwconv=backbone)
    for ffn in ffns:
        ffn.dw3x3 = ffn.norm2 = None
    return dict(with_dwconv=backbone, without_dwconv=bare)


def receptive_field(function: Callable[[Tensor], Tensor], x: Tensor, position: tuple[int, int]) -> np.ndarray:
    """Compute the gradient of one output position with respect to the input.

    Args:
        function (callable): Maps the input to an output (1, C', H', W'), whose channels are summed.
        x (Tensor): The input, (1, C, H, W).
        position (tuple[int, int]): Row and column of the output.

    Returns:
        np.ndarray: The mean magnitude over C, (H, W), float64.
    """
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x)[0, :, position[0], position[1]].sum(), x)
    return gradient[0].abs().double().mean(0).cpu().numpy()


def describe_field(field: np.ndarray, centre: tuple[int, int], window: Window, stride: int = 1) -> dict[str, Any]:
    """Summarize a receptive field (H, W), whose values are `stride` pixels high and wide.

    Returns:
        dict: The number of `inputs`, `of` all, that have a gradient; the sides in pixels of the smallest `squares`
        around the center (row, column) that hold 50% and 95% of it; and its share `outside_window`.
    """
    rows, columns = np.indices(field.shape)
    distance = np.maximum(abs(rows - centre[0]), abs(columns - centre[1]))
    sums = np.bincount(distance.ravel(), weights=field.ravel()).cumsum()
    squares = {f'{share:.0%}': (2 * int(np.searchsorted(sums, share * sums[-1])) + 1) * stride for share in (0.5, 0.95)}
    outside = (rows < window.top) | (rows >= window.bottom) | (columns < window.left) | (columns >= window.right)
    return dict(
        inputs=int((field > 0).sum()),
        of=field.size,
        squares=squares,
        outside_window=float(field[outside].sum() / max(sums[-1], 1e-300)),
    )
