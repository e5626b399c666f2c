"""Segmentation loss of the authors, which combines class weights, ignored pixels and hard example mining."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_choice, check_non_negative, check_sequence
from ..registry import MODELS


@MODELS.register_module()
class CrossEntropyLoss(nn.Module):
    """Cross entropy averaged over the selected pixels, for mmseg's heads.

    mmseg 1.2.2's own loss fails at ignored pixels if `class_weight` is set, because it looks up the weight of label
    255. With a pixel sampler it divides by the number of all pixels, whereas the authors' code (`seg/lib/loss`)
    averages over the hard pixels.

    Args:
        class_weight (Sequence[float], optional): Weight of each class. Default: None.
        loss_weight (float): Factor that multiplies the loss. Default: 1.0.
        loss_name (str): Name of the loss in the log. It must contain 'loss', because mmengine ignores other names in
            the sum of the losses. Default: 'loss_ce'.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    class_weight: Tensor | None

    def __init__(
        self, class_weight: Sequence[float] | None = None, loss_weight: float = 1.0, loss_name: str = 'loss_ce'
    ) -> None:
        super().__init__()
        weight = None
        if class_weight is not None:
            values = [
                check_non_negative(f'class_weight[{i}]', w)
                for i, w in enumerate(check_sequence('class_weight', class_weight))
            ]
            if not any(values):
                raise ValueError(f'class_weight is {class_weight!r}, but at least one entry must be above 0')
            weight = torch.tensor(values)
        if not isinstance(loss_name, str) or 'loss' not in loss_name:
            raise ValueError(
                f"loss_name is {loss_name!r}, but must be a string that contains 'loss', for example 'loss_ce': "
                'mmengine ignores other names'
            )
        self.register_buffer('class_weight', weight, persistent=False)
        self.loss_weight = check_non_negative('loss_weight', loss_weight)
        self.loss_name = loss_name

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits (Tensor): Logits of shape (N, classes, H, W).
            labels (Tensor): int64 labels of shape (N, H, W).
            weight (Tensor, optional): Selection of a pixel sampler of shape (N, H, W): 1 for selected pixels, 0 for
                others. Default: None.
            ignore_index (int): Label of ignored pixels. Default: 255.
            reduction_override (str, optional): 'none' returns the loss of each pixel, (N, H, W), from which mmseg's
                `OHEMPixelSampler` without `thresh` selects pixels. Default: None.

        Returns:
            Tensor: Scalar loss. Without `weight`, it is PyTorch's mean, weighted by class. With `weight`, it is the
            mean over the selected pixels. It is 0, with gradients of 0, if no pixel is selected.

        Raises:
            ValueError: If there is only one class, if the length of `class_weight` is not the number of classes, or if
                `reduction_override` is invalid.
        """
        check_choice('reduction_override', reduction_override, (None, 'none'))
        check_channels('logits', self, logits.shape[1])
        if self.class_weight is not None and len(self.class_weight) != logits.shape[1]:
            raise ValueError(
                f'class_weight has {len(self.class_weight)} entries, but there are {logits.shape[1]} classes'
            )
        loss = F.cross_entropy(logits, labels, self.class_weight, ignore_index=ignore_index, reduction='none')
        if reduction_override == 'none':
            return self.loss_weight * (loss if weight is None else loss * weight)
        counts = (labels != ignore_index).to(loss.dtype)
        if weight is not None:
            loss, counts = loss * weight, counts * weight
        elif self.class_weight is not None:
            counts = counts * self.class_weight[labels.clamp(0, logits.shape[1] - 1)]
        return self.loss_weight * loss.sum() / counts.sum().clamp_min(torch.finfo(loss.dtype).tiny)


def check_channels(name: str, loss: nn.Module, channels: int) -> None:
    """Check that a loss does not compute cross entropy over a single channel, which is always 0.

    Args:
        name (str): Name of the loss for the error message.
        loss (nn.Module): Loss of mmseg or mmpretrain, or an `nn.ModuleList` of losses.
        channels (int): Number of channels of the logits.

    Raises:
        ValueError: If cross entropy is computed over a single channel.
    """
    softmax = [
        part
        for part in loss.modules()
        if 'CrossEntropyLoss' in type(part).__name__
        and not getattr(part, 'use_sigmoid', False)
        and not getattr(part, 'use_mask', False)
    ]
    if channels == 1 and softmax:
        raise ValueError(
            f'{name}: {type(softmax[0]).__name__} over 1 class is always 0, and nothing is trained. Set '
            'num_classes=2 for background and object. For segmentation with one output channel, set num_classes=2, '
            'out_channels=1, a threshold, and use_sigmoid=True in each CrossEntropyLoss of mmseg'
        )
