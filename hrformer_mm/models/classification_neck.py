"""The authors' classification head up to its pooling (authors' code, `cls/models/hrt.py`)."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from ..arguments import check_int, check_ints
from ..layers import Bottleneck, conv_norm
from ..registry import MODELS
from ..weights import accept_layouts
from .inputs import check_batch_norm, check_maps


@MODELS.register_module()
class ClassificationNeck(BaseModule):
    """Join the four branches top-down, with depth-wise convolutions.

    For mmpretrain's `ImageClassifier`, before its `GlobalAveragePooling`. mmpretrain's own `HRFuseScales` has dense
    convolutions instead, and holds other weights.

    Args:
        in_channels (Sequence[int]): Channels of the four branches, the finest first.
        channels (Sequence[int]): Widths of the four bottlenecks, a quarter of their outputs.
        out_channels (int): Channels of the result.
        norm_cfg (dict): The norm after each convolution.
        init_cfg (dict, optional): mmengine's initialization; by default PyTorch's own.

    Raises:
        TypeError, ValueError: If an argument cannot be used, naming it, its value and what is allowed.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int] = (32, 64, 128, 256),
        out_channels: int = 2048,
        norm_cfg: dict[str, Any] = dict(type='BN'),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        channels, in_channels = check_ints('channels', channels), check_ints('in_channels', in_channels)
        if len(in_channels) != len(channels):
            raise ValueError(
                f'in_channels is {in_channels}, but must have {len(channels)} entries, one per entry of '
                f'channels, {channels}'
            )
        self.in_channels = in_channels
        check_int('out_channels', out_channels)
        widths = [c * Bottleneck.expansion for c in channels]
        self.increase = nn.ModuleList(Bottleneck(a, b, norm_cfg, depthwise=True) for a, b in zip(in_channels, channels))
        self.downsample = nn.ModuleList(
            nn.Sequential(
                *conv_norm(a, a, norm_cfg, kernel_size=3, stride=2, groups=a, bias=True),
                *conv_norm(a, b, norm_cfg, bias=True, relu=True),
            )
            for a, b in zip(widths, widths[1:])
        )
        self.final = nn.Sequential(*conv_norm(widths[-1], out_channels, norm_cfg, bias=True, relu=True))
        accept_layouts(self, 'neck.0.')

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor]:
        """Branches (N, C_i, H_i, W_i) to a map (N, out_channels, H_3, W_3), as a tuple of one.

        Raises:
            TypeError, ValueError: If they are of another number, form, size or dtype, or in training one value per
                channel, with the remedy.
        """
        if isinstance(maps, (list, tuple)) and len(maps) != len(self.increase):
            raise ValueError(
                f'the neck joins {len(self.increase)} branches, but got {len(maps)}: the backbone needs '
                f'out_indices={tuple(range(len(self.increase)))}'
            )
        check_maps(maps, range(len(maps)), self.in_channels, self)
        for i, (fine, coarse) in enumerate(zip(maps, maps[1:])):
            halved = tuple((side - 1) // 2 + 1 for side in fine.shape[2:])
            if tuple(coarse.shape[2:]) != halved:  # a sum of one position and many would go unnoticed
                raise ValueError(
                    f'branch {i + 1} has the shape {tuple(coarse.shape)}, but its size must be {halved}, '
                    f'half of that of branch {i}: the neck takes the branches of an HRFormer'
                )
        n, _, height, width = maps[-1].shape
        check_batch_norm(f'branch {len(maps) - 1}', n * height * width, self)
        x = self.increase[0](maps[0])
        for down, up, branch in zip(self.downsample, self.increase[1:], maps[1:]):
            x = up(branch) + down(x)
        return (self.final(x),)
