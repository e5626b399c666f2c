"""Object-contextual representations (OCR, arXiv 1909.11065) in the two versions that the HRFormer authors trained."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS as MMSEG_MODELS
from mmseg.registry import TASK_UTILS
from torch import Tensor, nn

from ..arguments import check_bool, check_choice, check_config, check_int, check_ints, check_probability
from ..layers import conv_norm
from ..messages import filter_warnings
from ..ops import attention
from ..registry import MODELS
from ..weights import accept_layouts
from .cross_entropy_loss import check_channels
from .inputs import check_batch_norm, check_maps

VERSIONS = ('v2', 'v3')
_LOSS_AUXILIARY: dict[str, Any] = dict(type='CrossEntropyLoss', loss_weight=0.4)


class ObjectAttention(nn.Module):
    """Attention of each pixel to the object regions (section 3.2).

    Args:
        channels (int): Number of channels of pixels and regions.
        key_channels (int): Number of channels of queries, keys and values.
        norm_cfg (dict): Config of the norm after each convolution.
    """

    def __init__(self, channels: int, key_channels: int, norm_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.scale = key_channels**-0.5

        def conv(a: int, b: int) -> list[nn.Module]:
            return conv_norm(a, b, norm_cfg, bias=True, relu=True)

        self.query = nn.Sequential(*conv(channels, key_channels), *conv(key_channels, key_channels))
        self.key = nn.Sequential(*conv(channels, key_channels), *conv(key_channels, key_channels))
        self.value = nn.Sequential(*conv(channels, key_channels))
        self.project = nn.Sequential(*conv(key_channels, channels))

    def forward(self, pixels: Tensor, regions: Tensor) -> Tensor:
        """Compute the object context (N, C, H, W) of pixels (N, C, H, W) from regions (N, C, K, 1)."""
        query = self.query(pixels).flatten(2).transpose(1, 2)[:, None]
        key = self.key(regions).flatten(2).transpose(1, 2)[:, None]
        value = self.value(regions).flatten(2).transpose(1, 2)[:, None]
        context = attention(query, key, value, None, self.scale, 'plain')[:, 0]
        return self.project(context.transpose(1, 2).unflatten(2, pixels.shape[2:]))


@MODELS.register_module()
class OCRHead(BaseDecodeHead):
    """OCR head with its auxiliary head, for mmseg's `EncoderDecoder`.

    Both heads start with a convolution over the concatenation of all branches at the size of the finest branch. In
    training, `loss_decode` and `sampler` apply to the main logits. `loss_auxiliary` applies to the auxiliary logits,
    which define the soft object regions.

    Args:
        in_channels (Sequence[int]): Channels of the branches, finest first.
        num_classes (int): Number of classes.
        version (str): First convolution of both heads. 'v2': dense 3x3. 'v3': 7x7 with
            gcd(sum(in_channels), channels) groups. Default: 'v2'.
        channels (int): Number of channels of pixels and regions. Default: 512.
        key_channels (int): Number of channels of queries, keys and values. Default: 256.
        in_index (Sequence[int], optional): Indices of the backbone's maps to use, finest first. Default: the first
            `len(in_channels)` maps.
        norm_cfg (dict): Config of the norm after each convolution. Default: dict(type='BN').
        loss_auxiliary (dict): Config of mmseg's loss of the auxiliary logits. Default: cross entropy with a weight of
            0.4, with `use_sigmoid` if `out_channels` is 1.
        dropout_ratio (float): Probability of dropping a channel before the classifier. Default: 0.05.
        align_corners (bool): Align corners when maps and logits are resized, as the authors' weights require.
            Default: True.
        **kwargs: Arguments of mmseg's `BaseDecodeHead`: loss_decode, sampler, ignore_index, … Binary segmentation
            requires num_classes=2, out_channels=1, a threshold, and losses with use_sigmoid=True.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        num_classes: int,
        version: str = 'v2',
        channels: int = 512,
        key_channels: int = 256,
        in_index: Sequence[int] | None = None,
        norm_cfg: dict[str, Any] = dict(type='BN'),
        loss_auxiliary: dict[str, Any] = _LOSS_AUXILIARY,
        dropout_ratio: float = 0.05,
        align_corners: bool = True,
        **kwargs: Any,
    ) -> None:
        check_choice('version', version, VERSIONS)
        in_channels = check_ints('in_channels', in_channels)
        in_index = tuple(range(len(in_channels))) if in_index is None else check_ints('in_index', in_index, lowest=0)
        if len(in_index) != len(in_channels):
            raise ValueError(f'in_index is {in_index}, but must have as many entries as in_channels, {in_channels}')
        if list(in_index) != sorted(set(in_index)):
            raise ValueError(f'in_index is {in_index}, but must list branches in ascending order, each once')
        for name, value in (('num_classes', num_classes), ('channels', channels), ('key_channels', key_channels)):
            check_int(name, value)
        check_probability('dropout_ratio', dropout_ratio)
        check_bool('align_corners', align_corners)
        logits = kwargs.get('out_channels') or num_classes
        if loss_auxiliary is _LOSS_AUXILIARY:
            loss_auxiliary = dict(_LOSS_AUXILIARY, use_sigmoid=kwargs.get('out_channels') == 1)
        _check_loss('loss_auxiliary', loss_auxiliary, logits)
        _check_base_arguments(logits, **kwargs)
        with warnings.catch_warnings():
            filter_warnings()  # mmseg's head calls a deprecated function of mmseg
            super().__init__(
                list(in_channels),
                channels,
                num_classes=num_classes,
                in_index=list(in_index),
                input_transform='multiple_select',
                norm_cfg=norm_cfg,
                dropout_ratio=dropout_ratio,
                align_corners=align_corners,
                **kwargs,
            )
        self.version = version
        total = sum(in_channels)
        kernel, groups = (3, 1) if version == 'v2' else (7, math.gcd(total, channels))

        def entry() -> list[nn.Module]:
            return conv_norm(total, channels, norm_cfg, kernel, groups=groups, bias=True, relu=True)

        self.pixels = nn.Sequential(*entry())
        self.auxiliary = nn.Sequential(*entry(), nn.Conv2d(channels, self.out_channels, 1))
        self.attention = ObjectAttention(channels, key_channels, norm_cfg)
        self.fuse = nn.Sequential(*conv_norm(2 * channels, channels, norm_cfg, bias=True, relu=True))
        self.loss_auxiliary = MMSEG_MODELS.build(loss_auxiliary)
        check_channels('loss_decode', self.loss_decode, self.out_channels)
        check_channels('loss_auxiliary', self.loss_auxiliary, self.out_channels)
        accept_layouts(self, 'decode_head.')

    def forward_both(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute main and auxiliary logits, both (N, classes, H_0, W_0), from branches (N, C_i, H_i, W_i).

        Raises:
            TypeError: If the maps are not a tuple of tensors or have the wrong dtype.
            ValueError: If the number or the shapes of the maps are wrong.
        """
        check_maps(inputs, self.in_index, self.in_channels, self)
        maps = self._transform_inputs(inputs)
        size = maps[0].shape[2:]
        x = torch.cat(
            maps[:1]
            + [F.interpolate(x, size=size, mode='bilinear', align_corners=self.align_corners) for x in maps[1:]],
            dim=1,
        )
        return self.attend(self.pixels(x), self.auxiliary(x))

    def attend(self, pixels: Tensor, auxiliary: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the object regions and classify each pixel in their context.

        Args:
            pixels (Tensor): Pixel representations of shape (N, C, H, W).
            auxiliary (Tensor): Auxiliary logits of shape (N, classes, H, W).

        Returns:
            tuple[Tensor, Tensor]: Main logits of shape (N, classes, H, W), and the unchanged auxiliary logits.

        Raises:
            ValueError: If batch norms get one value per channel in training.
        """
        check_batch_norm('the representation of 1 region of 1 image', auxiliary.shape[0] * auxiliary.shape[1], self)
        weights = torch.softmax(auxiliary.flatten(2), dim=2)
        regions = (weights @ pixels.flatten(2).transpose(1, 2)).transpose(1, 2).unsqueeze(3)
        x = self.fuse(torch.cat([self.attention(pixels, regions), pixels], dim=1))
        return self.cls_seg(x), auxiliary

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute the main logits (N, classes, H_0, W_0) from branches (N, C_i, H_i, W_i)."""
        return self.forward_both(inputs)[0]

    def loss(self, inputs: Sequence[Tensor], batch_data_samples: list[Any], train_cfg: Any) -> dict[str, Tensor]:
        """Compute mmseg's losses of the main logits, and `loss_auxiliary` of the auxiliary logits."""
        logits, auxiliary = self.forward_both(inputs)
        losses = self.loss_by_feat(logits, batch_data_samples)
        labels = self._stack_batch_gt(batch_data_samples).squeeze(1)
        auxiliary = F.interpolate(auxiliary, size=labels.shape[1:], mode='bilinear', align_corners=self.align_corners)
        losses['loss_auxiliary'] = self.loss_auxiliary(auxiliary, labels, ignore_index=self.ignore_index)
        return losses


def _check_base_arguments(
    classes: int,
    loss_decode: Any = dict(type='CrossEntropyLoss'),
    sampler: Any = None,
    ignore_index: Any = 255,
    threshold: Any = None,
    **_: Any,
) -> None:
    """Check the arguments that mmseg's `BaseDecodeHead` does not validate, or rejects without an explanation."""
    several = isinstance(loss_decode, (list, tuple))
    for i, loss in enumerate(loss_decode if several else [loss_decode]):
        _check_loss(f'loss_decode[{i}]' if several else 'loss_decode', loss, classes)
    if ignore_index is not None:
        check_int('ignore_index', ignore_index, lowest=None)
    if threshold is not None:
        check_probability('threshold', threshold)
    if sampler is not None:
        check_config('sampler', sampler, TASK_UTILS, "dict(type='OHEMPixelSampler')", given=('context',))
        if sampler['type'] == 'OHEMPixelSampler':
            if sampler.get('thresh') is not None:
                check_probability('sampler.thresh', sampler['thresh'])
                if classes == 1:
                    raise ValueError(
                        f'sampler.thresh is {sampler["thresh"]}, but OHEMPixelSampler compares it with a softmax, '
                        'which needs more than one channel: leave thresh out to select min_kept pixels by their loss'
                    )
            check_int('sampler.min_kept', sampler.get('min_kept', 100000), lowest=2)


def _check_loss(name: str, loss: Any, classes: int) -> None:
    check_config(name, loss, MMSEG_MODELS, "dict(type='CrossEntropyLoss')")
    weight = loss.get('class_weight')
    if isinstance(weight, (list, tuple)) and len(weight) != classes:  # mmseg also accepts the path of a file
        raise ValueError(
            f'{name}.class_weight is {weight!r}, but must have one entry per class, {classes}, not {len(weight)}'
        )
