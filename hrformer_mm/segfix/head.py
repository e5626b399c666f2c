"""SegFix's head for mmseg's `EncoderDecoder`."""

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
    """Which pixels lie near a boundary, and which direction leads away from it (section 3.2).

    Its logits are (N, 2 + 8, H, W), see :func:`~hrformer_mm.segfix.predicted_offsets`; it is trained on the label maps
    of :class:`~hrformer_mm.segfix.transform.BoundaryTargets`. In both losses a class counts by the share of the other
    classes; directions are learnt where the head itself says that a boundary is near.

    Args:
        in_channels (Sequence[int]): Channels of all maps of the backbone, which are brought to the first one's size.
        channels (int): Channels between. Default: 256.
        align_corners (bool): How maps and logits are resized. Default: True.
        **kwargs: mmseg's `BaseDecodeHead`: in_index, norm_cfg, ignore_index, …

    Raises:
        TypeError, ValueError: If an argument cannot be used, with its name, its value and what is allowed.
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
            filter_warnings()  # mmseg's head calls its own deprecated build_loss
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
        del self.conv_seg  # each part has a classifier of its own

        def classifier(classes: int) -> nn.Module:
            return nn.Sequential(
                *conv_norm(sum(in_channels), channels, norm_cfg, relu=True), nn.Conv2d(channels, classes, 1, bias=False)
            )

        self.boundary = classifier(2)
        self.direction = classifier(len(DIRECTIONS))

    def init_weights(self) -> None:
        """PyTorch's own initialisation; mmseg's wants a classifier of its name."""

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Maps (N, C_i, H_i, W_i) to logits (N, 2 + 8, H_0, W_0)."""
        x = self._transform_inputs(inputs)
        return torch.cat([self.boundary(x), self.direction(x)], dim=1)

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """The losses of logits (N, 2 + 8, h, w) on label maps (N, 1, H, W)."""
        labels = self._stack_batch_gt(batch_data_samples).squeeze(1)
        logits = F.interpolate(seg_logits, labels.shape[1:], mode='bilinear', align_corners=self.align_corners)
        near, directions = logits[:, :2], logits[:, 2:]
        known = labels != self.ignore_index
        boundary = torch.where(known, labels // len(DIRECTIONS), self.ignore_index)
        said = known & (near[:, 1] > near[:, 0]).detach()
        direction = torch.where(said, labels % len(DIRECTIONS), self.ignore_index)
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
