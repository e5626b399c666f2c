"""Multi-resolution fusion of the branches (HRNet, arXiv 1908.07919, section 3.2)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .conv import conv_norm

UPSAMPLES = ('nearest', 'bilinear')


class BranchFusion(nn.ModuleList):
    """Sum all branches, resampled to the resolution and channels of each output branch, and apply ReLU.

    Downsampling by 2 is a 3x3 depth-wise convolution of stride 2 and a 1x1 convolution, which repeat as needed.
    Upsampling is a 1x1 convolution and an interpolation by a power of two. If the result is too large, because sizes
    were rounded up, a second, bilinear interpolation follows.

    Args:
        channels (Sequence[int]): Channels of the branches, finest first.
        out_branches (Sequence[int]): Indices of the branches to compute.
        norm_cfg (dict): Config of the norm after each convolution.
        upsample (str): Mode of the first interpolation. 'nearest' is that of the authors' classification and
            segmentation code; the second interpolation then aligns corners. 'bilinear' is that of the authors' pose
            code and of mmpose; then neither interpolation aligns corners.
    """

    def __init__(
        self, channels: Sequence[int], out_branches: Sequence[int], norm_cfg: dict[str, Any], upsample: str
    ) -> None:
        super().__init__()
        self.out_branches = tuple(out_branches)
        self.upsample = upsample
        for i in range(len(channels)):
            # A branch that is not computed is None, so that the other branches keep their indices and key names.
            self.append(
                nn.ModuleList(self._path(channels, j, i, norm_cfg) for j in range(len(channels)))  # type: ignore[misc]
                if i in self.out_branches
                else None  # type: ignore[arg-type]
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
        """Fuse all branches (N, C_i, H_i, W_i) and return those of `out_branches`, each in its own shape."""
        return [self._fuse(maps, i) for i in self.out_branches]

    def _fuse(self, maps: Sequence[Tensor], i: int) -> Tensor:
        resampled = []
        for j, x in enumerate(maps):
            if j != i:
                x = self[i][j](x)  # type: ignore[index]
            if j > i:
                x = self._resize(x, 2 ** (j - i), maps[i].shape[2:])
            resampled.append(x)
        return F.relu(sum(resampled[1:], resampled[0]))

    def _resize(self, x: Tensor, factor: int, size: torch.Size) -> Tensor:
        nearest = self.upsample == 'nearest'
        x = F.interpolate(x, scale_factor=factor, mode=self.upsample, align_corners=None if nearest else False)
        if x.shape[2:] != size:
            x = F.interpolate(x, size=size, mode='bilinear', align_corners=nearest)
        return x

    def extra_repr(self) -> str:
        return f'out_branches={self.out_branches}, upsample={self.upsample!r}'
