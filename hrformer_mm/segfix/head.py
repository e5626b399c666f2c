"""Head of SegFix for mmseg's `EncoderDecoder`."""

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ..arguments import check_bool, check_int, check_ints
from ..layers import conv_norm
from ..messages import filter_warnings
from ..registry import MODELS
from .offsets import DIRECTIONS


@MODELS.register_module()
class SegFixHead(BaseDecodeHead):
    """Predicts which pixels lie near a boundary, and which direction leads away from it (section 3.2).

    The logits are (N, 2 + 8, H, W), see :func:`~hrformer_mm.segfix.predicted_offsets`. The targets are the label maps
    of :class:`~hrformer_mm.segfix.transform.BoundaryTargets`. Both losses weight each class by the proportion of pixels
    of the other classes. The loss of directions covers the pixels that the head itself predicts to be near a boundary.

    Args:
        in_channels (Sequence[int]): Channels of all maps of the backbone, which are resized to the size of the first.
        channels (int): Number of hidden channels. Default: 256.
        norm_cfg (dict): Config of the norm after each convolution. Default: dict(type='BN').
        align_corners (bool): Align corners when maps and logits are resized. Default: True.
        **kwargs: Arguments of mmseg's `BaseDecodeHead`: in_index, ignore_index, …

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        in_channels: list[int],
        channels: int = 256,
        norm_cfg: dict[str, Any] = dict(type='BN'),
        align_corners: bool = True,
        **kwargs: Any,
    ) -> None:
        in_channels = list(check_ints('in_channels', in_channels))
        check_int('channels', channels)
        check_bool('align_corners', align_corners)
        with warnings.catch_warnings():
            filter_warnings()  # mmseg's head calls a deprecated function of mmseg
            super().__init__(
                in_channels,
                channels,
                num_classes=2 + len(DIRECTIONS),
                norm_cfg=norm_cfg,
                align_corners=align_corners,
                input_transform='resize_concat',
                dropout_ratio=0,
                **kwargs,
            )
        del self.conv_seg  # boundary and direction have their own classifiers

        def classifier(classes: int) -> nn.Module:
            return nn.Sequential(
                *conv_norm(sum(in_channels), channels, norm_cfg, relu=True), nn.Conv2d(channels, classes, 1, bias=False)
            )

        self.boundary = classifier(2)
        self.direction = classifier(len(DIRECTIONS))

    def init_weights(self) -> None:
        """Keep PyTorch's initialization. mmseg's own requires `conv_seg`."""

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Compute logits (N, 2 + 8, H_0, W_0) from maps (N, C_i, H_i, W_i)."""
        x = self._transform_inputs(inputs)
        return torch.cat([self.boundary(x), self.direction(x)], dim=1)

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """Compute the losses of logits (N, 2 + 8, h, w) on label maps (N, 1, H, W)."""
        labels = self._stack_batch_gt(batch_data_samples).squeeze(1)
        logits = F.interpolate(seg_logits, labels.shape[1:], mode='bilinear', align_corners=self.align_corners)
        near, directions = logits[:, :2], logits[:, 2:]
        known = labels != self.ignore_index
        boundary = torch.where(known, labels // len(DIRECTIONS), self.ignore_index)
        predicted = known & (near[:, 1] > near[:, 0]).detach()
        direction = torch.where(predicted, labels % len(DIRECTIONS), self.ignore_index)
        correct = (near.argmax(1) == boundary)[known]
        return dict(
            loss_boundary=self._balanced(near, boundary),
            loss_direction=self._balanced(directions, direction),
            acc_boundary=100 * correct.float().mean() if correct.numel() else near.new_zeros(()),
        )

    def _balanced(self, logits: Tensor, labels: Tensor) -> Tensor:
        counts = torch.bincount(labels[labels != self.ignore_index], minlength=logits.shape[1])
        if not counts.any():
            return 0 * logits.sum()
        return F.cross_entropy(logits, labels, 1 - counts / counts.sum(), ignore_index=self.ignore_index)
