"""What an exported file computes: from normalized images to logits or heatmaps."""

import torch
from torch import Tensor, nn

from ...deploy import to_deploy

STRIDE = 32  # of the coarsest branch


class Network(nn.Module):
    """A model of mmseg, mmpose or mmpretrain in its deployment form, without pre- and post-processing.

    Args:
        model (nn.Module): The model; it stays as it is.
        scope (str): Its library.
    """

    def __init__(self, model: nn.Module, scope: str) -> None:
        super().__init__()
        self.model = to_deploy(model)
        self.scope = scope

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images (N, C, H, W) to logits (N, classes, H, W), heatmaps (N, keypoints, H / 4, W / 4), or
        logits (N, classes)."""
        if self.scope == 'mmseg':
            return self.model.encode_decode(images, [dict(img_shape=images.shape[2:])])
        return self.model(images, None, mode='tensor')


def check_size(size: tuple[int, int], dynamic: bool) -> None:
    """Raises ValueError if a graph of any size cannot be made from this one."""
    if dynamic and (min(size) < 2 * STRIDE or any(side % STRIDE for side in size)):
        raise ValueError(
            f'the size is {size[0]}x{size[1]}, but a graph for any size takes multiples of {STRIDE}, and '
            f'is recorded with {2 * STRIDE} at least: choose such a --size, or leave out --dynamic-size'
        )


def dynamic_shapes(batch: bool, size: bool) -> dict[int, object]:
    """What torch.export takes for the dimensions of the images."""
    dims: dict[int, object] = {}
    if batch:
        dims[0] = torch.export.Dim('batch')
    if size:
        dims[2], dims[3] = (STRIDE * torch.export.Dim(name) for name in ('rows', 'columns'))
    return dims
