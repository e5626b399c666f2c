"""Consistency checks of whole models."""

from torch import nn

from .cross_entropy_loss import check_channels
from .hrformer import HRFormer


def check_model(model: nn.Module) -> None:
    """Check that the losses suit the number of classes, and that the data preprocessor suits the backbone.

    Raises:
        ValueError: If cross entropy is computed over one class, which trains nothing, or if the preprocessor
            normalizes or reorders a number of channels that differs from the backbone's `in_channels`.
    """
    for name, head in model.named_modules():
        if hasattr(head, 'loss_decode'):  # mmseg's heads
            check_channels(name, head.loss_decode, head.out_channels)
        elif hasattr(head, 'loss_module') and hasattr(head, 'num_classes'):  # mmpretrain's heads
            check_channels(name, head.loss_module, head.num_classes)
    preprocessor = getattr(model, 'data_preprocessor', None)
    channels = next((part.in_channels for part in model.modules() if isinstance(part, HRFormer)), None)
    if preprocessor is None or channels is None:
        return
    for name in ('mean', 'std'):
        values = getattr(preprocessor, name, None)
        if values is not None and len(values) not in (1, channels):
            raise ValueError(
                f'data_preprocessor.{name} has {len(values)} entries, but the backbone has in_channels='
                f'{channels}: give one entry per channel, or change backbone.in_channels'
            )
    # mmengine's preprocessor would silently select channels 2, 1 and 0 of an image with more channels.
    if getattr(preprocessor, '_channel_conversion', False) and channels != 3:
        raise ValueError(
            'data_preprocessor.bgr_to_rgb or rgb_to_bgr is True, which requires 3 channels, but the backbone has '
            f'in_channels={channels}: set it to False'
        )
