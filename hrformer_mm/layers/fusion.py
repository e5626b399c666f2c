"""Exchange between branches of different resolution (HRNet, arXiv 1908.07919, section 3.2)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .conv import conv_norm

UPSAMPLES = ('nearest', 'bilinear')


class BranchFusion(nn.ModuleList):
    """Every output branch is the ReLU of the sum of all input branches, resampled to its resolution and channels.

    Downsampling by 2 is a 3x3 depth-wise convolution of stride 2 and a 1x1 convolution, repeated as needed. Upsampling
    is a 1x1 convolution and then an interpolation by a power of two; where the sizes were rounded up and the result is
    too large, a second, bilinear interpolation follows.

    Args:
        channels (Sequence[int]): Channels of the branches, the finest first.
        out_branches (Sequence[int]): The branches to compute.
        norm_cfg (dict): The norm after each convolution.
        upsample (str): 'nearest', as in the authors' classification and segmentation code, with a second interpolation
            that aligns corners; or 'bilinear', as in their pose code and mmpose, with neither aligning corners.
    """

    def __init__(
        self, channels: Sequence[int], out_branches: Sequence[int], norm_cfg: dict[str, Any], upsample: str
    ) -> None:
        super().__init__()
        self.out_branches = tuple(out_branches)
        self.upsample = upsample
        for i in range(len(channels)):
            # A branch that is not computed keeps its index and holds nothing, so that the key names do not change.
            self.append(
                nn.ModuleList(self._path(channels, j, i, norm_cfg) for j in range(len(channels)))
                if i in self.out_branches
                else None
            )

    @staticmethod
    def _path(channels: Sequence[int], source: int, target: int, norm_cfg: dict[str, Any]) -> nn.Module | None:
        if source == target:
            return None
        if source > target:
            return nn.Sequential(*conv_norm(channels[source], channels[target], norm_cfg))
        c = channels[source]
        steps = []
        for step in range(source + 1, target + 1):
            last = step == target
            steps.append(
                nn.Sequential(
                    *conv_norm(c, c, norm_cfg, kernel_size=3, stride=2, groups=c),
                    *conv_norm(c, channels[target] if last else c, norm_cfg, relu=not last),
                )
            )
        return nn.Sequential(*steps)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """All branches (N, C_i, H_i, W_i) to those of `out_branches`, of the same shapes."""
        return [self._fuse(maps, i) for i in self.out_branches]

    def _fuse(self, maps: Sequence[Tensor], i: int) -> Tensor:
        total = None
        for j, x in enumerate(maps):
            if j != i:
                x = self[i][j](x)
            if j > i:
                x = self._resize(x, 2 ** (j - i), maps[i].shape[2:])
            total = x if total is None else total + x
        return F.relu(total)

    def _resize(self, x: Tensor, factor: int, size: tuple[int, int]) -> Tensor:
        nearest = self.upsample == 'nearest'
        x = F.interpolate(x, scale_factor=factor, mode=self.upsample, align_corners=None if nearest else False)
        if x.shape[2:] != size:
            x = F.interpolate(x, size=size, mode='bilinear', align_corners=nearest)
        return x

    def extra_repr(self) -> str:
        return f'out_branches={self.out_branches}, upsample={self.upsample!r}'
