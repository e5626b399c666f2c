"""The network in an exported file, from normalized images to logits or heatmaps."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...deploy import to_deploy

STRIDE = 32  # of the coarsest branch


class Network(nn.Module):
    """A model of mmseg, mmpose or mmpretrain in the deployment form, without pre- and post-processing.

    Args:
        model (nn.Module): The model, which is not modified.
        scope (str): The library of the model.
    """

    def __init__(self, model: nn.Module, scope: str) -> None:
        super().__init__()
        self.model: Any = to_deploy(model)
        self.scope = scope

    def forward(self, images: Tensor) -> Tensor:
        """Map normalized images (N, C, H, W) to the outputs of the network.

        Returns:
            Tensor: Logits (N, classes, H, W), heatmaps (N, K, H / 4, W / 4), or logits (N, classes).
        """
        if self.scope == 'mmseg':
            return self.model.encode_decode(images, [dict(img_shape=images.shape[2:])])
        return self.model(images, None, mode='tensor')


def check_size(size: Sequence[int], dynamic: bool) -> None:
    """Raise a ValueError if a graph with dynamic size cannot be recorded at `size` (height, width)."""
    if dynamic and (min(size) < 2 * STRIDE or any(side % STRIDE for side in size)):
        raise ValueError(
            f'the size is {size[0]}x{size[1]}, but --dynamic-size needs multiples of {STRIDE}, at least {2 * STRIDE}: '
            'choose such a --size, or leave out --dynamic-size'
        )


def dynamic_shapes(batch: bool, size: bool) -> dict[int, object]:
    """Return the dynamic dimensions of the images for torch.export."""
    dims: dict[int, object] = {}
    if batch:
        dims[0] = torch.export.Dim('batch')
    if size:
        dims[2], dims[3] = (STRIDE * torch.export.Dim(name) for name in ('rows', 'columns'))
    return dims
