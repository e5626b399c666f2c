"""How the kernels of a block are launched."""

from typing import Any

import torch
from torch import Tensor


def launch(kernel: Any, programs: int, x: Tensor, *arguments: Any, **options: Any) -> None:
    """Run a kernel with so many programs, on the device of its first argument, a map.

    Raises:
        ValueError: If there are too many.
    """
    if programs >= 2**31:
        raise ValueError(f"block backend 'triton': the map, {tuple(x.shape)}, is more than one launch takes; "
                         "take 'torch'")
    if programs:
        # All in the first axis of the grid: the others end at 65,535.
        with torch.cuda.device_of(x):
            kernel[(programs, )](x, *arguments, **options)
