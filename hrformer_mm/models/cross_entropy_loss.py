"""The authors' segmentation loss: class weights, ignored pixels and hard examples together."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_choice, check_non_negative, check_sequence
from ..registry import MODELS


@MODELS.register_module()
class CrossEntropyLoss(nn.Module):
    """Cross entropy averaged over the pixels that count, for mmseg's heads.

    mmseg 1.2.2's own looks up the class weight of ignored pixels, label 255, and dies; and with a pixel sampler it
    divides by all pixels, where the authors (`seg/lib/loss`) take the mean of the hard ones.

    Args:
        class_weight (Sequence[float], optional): Weight of every class.
        loss_weight (float): Factor of the result. Default: 1.
        loss_name (str): Its name in mmseg's log, with 'loss' in it: mmengine leaves others out of what is trained on.
            Default: 'loss_ce'.

    Raises:
        TypeError, ValueError: If an argument cannot be used, naming it, its value and what is allowed.
    """

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
                raise ValueError(f'class_weight is {class_weight!r}, but one entry at least must be above 0')
            weight = torch.tensor(values)
        if not isinstance(loss_name, str) or 'loss' not in loss_name:
            raise ValueError(
                f"loss_name is {loss_name!r}, but must be text with 'loss' in it, as 'loss_ce': mmengine "
                'trains on nothing else'
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
            logits (Tensor): (N, classes, H, W).
            labels (Tensor): (N, H, W), int64.
            weight (Tensor, optional): (N, H, W), 1 for the pixels that a sampler chose and 0 for the others.
            ignore_index (int): The label of pixels that do not count.
            reduction_override (str, optional): 'none' returns the loss of every pixel, (N, H, W), by which mmseg's
                `OHEMPixelSampler` without `thresh` chooses pixels. Default: None.

        Returns:
            Tensor: A scalar. Without `weight` the mean of PyTorch, over the sum of the class weights; with it the
            mean over the chosen pixels. 0, with gradients of 0, if no pixel counts.

        Raises:
            ValueError: If there is one class, if `class_weight` has not one entry per class, or for another
                `reduction_override`.
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
    """Check that a loss does not compute cross entropy over one channel, which is always 0.

    Args:
        name (str): What the error names.
        loss (nn.Module): A loss of mmseg or mmpretrain, or several in a list.
        channels (int): Channels of the logits.

    Raises:
        ValueError: If it does, with the remedy.
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
            'num_classes=2, for background and object; or, in segmentation, num_classes=2, '
            'out_channels=1, a threshold, and use_sigmoid=True in each CrossEntropyLoss of mmseg'
        )
