"""Classification head of the authors up to its pooling (authors' code, `cls/models/hrt.py`)."""

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
    """Neck that merges the four branches from fine to coarse with depth-wise convolutions.

    It precedes `GlobalAveragePooling` in mmpretrain's `ImageClassifier`. mmpretrain's own `HRFuseScales` has dense
    convolutions, so its weights differ.

    Args:
        in_channels (Sequence[int]): Channels of the four branches, finest first.
        channels (Sequence[int]): Channels of the 3x3 convolutions of the four bottlenecks, a quarter of their output
            channels. Default: (32, 64, 128, 256).
        out_channels (int): Number of output channels. Default: 2048.
        norm_cfg (dict): Config of the norm after each convolution. Default: dict(type='BN').
        init_cfg (dict, optional): Initialization config of mmengine. Default: PyTorch's initialization.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int] = (32, 64, 128, 256),
        out_channels: int = 2048,
        norm_cfg: dict[str, Any] = dict(type='BN'),
        init_cfg: dict[str, Any] | None = None,
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
        """Merge branches (N, C_i, H_i, W_i) into one map (N, out_channels, H_3, W_3) and return it in a tuple.

        Raises:
            TypeError: If the branches are not a tuple of tensors or have the wrong dtype.
            ValueError: If the number or the shapes of the branches are wrong, or if batch norms get one value per
                channel in training.
        """
        if isinstance(maps, (list, tuple)) and len(maps) != len(self.increase):
            raise ValueError(
                f'the neck joins {len(self.increase)} branches, but got {len(maps)}: set '
                f'out_indices={tuple(range(len(self.increase)))} in the backbone'
            )
        check_maps(maps, range(len(maps)), self.in_channels, self)
        for i, (fine, coarse) in enumerate(zip(maps, maps[1:])):
            halved = tuple((side - 1) // 2 + 1 for side in fine.shape[2:])
            if tuple(coarse.shape[2:]) != halved:  # the sum would broadcast a map of one position silently
                raise ValueError(
                    f'branch {i + 1} has the shape {tuple(coarse.shape)}, but its size must be {halved}, '
                    f'half of that of branch {i}: the neck requires the branches of an HRFormer'
                )
        n, _, height, width = maps[-1].shape
        check_batch_norm(f'branch {len(maps) - 1}', n * height * width, self)
        x = self.increase[0](maps[0])
        for down, up, branch in zip(self.downsample, self.increase[1:], maps[1:]):
            x = up(branch) + down(x)
        return (self.final(x),)
