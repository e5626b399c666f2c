"""Exchange between streams of different resolution (HRNet, arXiv 1908.07919, section 3.2)."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..kernels import triton_fusion
from ..ops import by_kernels
from .conv import conv_norm
from .streams import side_by_side

UPSAMPLES = ('nearest', 'bilinear')


class StreamFusion(nn.ModuleList):
    """Every output stream is the ReLU of the sum of all input streams, brought to its resolution and channels.

    Down, each halving is a 3x3 depth-wise convolution of stride 2 and a 1x1 convolution. Up, a 1x1 convolution and
    then `upsample` by a power of two; where ceiled sizes make the result too large, a second, bilinear resize.

    Args:
        channels (Sequence[int]): Channels of the streams, the finest first.
        out_streams (Sequence[int]): The streams to compute.
        norm_cfg (dict): The norm after each convolution.
        upsample (str): 'nearest', as the authors' classification and segmentation code, the second resize with
            aligned corners; or 'bilinear', as their pose code and mmpose, neither resize with aligned corners.
    """

    def __init__(self, channels: Sequence[int], out_streams: Sequence[int], norm_cfg: dict[str, Any],
                 upsample: str) -> None:
        super().__init__()
        self.out_streams = tuple(out_streams)
        self.upsample = upsample
        for i, out_channels in enumerate(channels):
            # A stream that nobody asks for keeps its number and holds nothing, so that key names stay.
            self.append(nn.ModuleList(self._path(channels, j, i, norm_cfg) for j in range(len(channels)))
                        if i in self.out_streams else None)

    @staticmethod
    def _path(channels: Sequence[int], source: int, target: int, norm_cfg: dict[str, Any]) -> Optional[nn.Module]:
        if source == target:
            return None
        if source > target:
            return nn.Sequential(*conv_norm(channels[source], channels[target], norm_cfg))
        c = channels[source]
        steps = []
        for step in range(source + 1, target + 1):
            last = step == target
            steps.append(
                nn.Sequential(*conv_norm(c, c, norm_cfg, kernel_size=3, stride=2, groups=c),
                              *conv_norm(c, channels[target] if last else c, norm_cfg, relu=not last)))
        return nn.Sequential(*steps)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Streams (N, C_i, H_i, W_i), all of them, to those of `out_streams`, of the same shapes."""
        return side_by_side([partial(self._fuse, maps, i) for i in self.out_streams])

    def _fuse(self, maps: Sequence[Tensor], i: int) -> Tensor:
        size, total = maps[i].shape[2:], None
        if by_kernels(maps[i]) and not torch.is_grad_enabled():
            return triton_fusion(maps[i], [self._bring(maps[j], j, i, size) for j in range(len(maps)) if j != i],
                                 self.upsample == 'bilinear')
        for j, x in enumerate(maps):
            if j != i:
                x = self[i][j](x)
            if j > i:
                x = self._resize(x, 2**(j - i), size)
            total = x if total is None else total + x
        return F.relu(total)

    def _bring(self, x: Tensor, source: int, target: int, size: tuple[int, int]) -> Tensor:
        """A stream in the channels of another, and in its size or, where one resize makes it that, smaller."""
        x, factor = self[target][source](x), 2**max(source - target, 0)
        return x if (x.shape[2] * factor, x.shape[3] * factor) == size else self._resize(x, factor, size)

    def _resize(self, x: Tensor, factor: int, size: tuple[int, int]) -> Tensor:
        nearest = self.upsample == 'nearest'
        x = F.interpolate(x, scale_factor=factor, mode=self.upsample, align_corners=None if nearest else False)
        if x.shape[2:] != size:
            x = F.interpolate(x, size=size, mode='bilinear', align_corners=nearest)
        return x

    def extra_repr(self) -> str:
        return f'out_streams={self.out_streams}, upsample={self.upsample!r}'
