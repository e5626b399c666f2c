"""Checks of whole models, whose parts may disagree."""

from torch import nn

from .cross_entropy_loss import check_channels
from .hrformer import HRFormer


def check_model(model: nn.Module) -> None:
    """Check the heads' numbers of classes, and the data preprocessor against the backbone's `in_channels`.

    Raises:
        ValueError: If cross entropy is computed over one class, which trains nothing, or if the preprocessor
            normalizes or reorders another number of channels than the backbone takes.
    """
    for name, head in model.named_modules():
        if hasattr(head, 'loss_decode'):  # of mmseg
            check_channels(name, head.loss_decode, head.out_channels)
        elif hasattr(head, 'loss_module') and hasattr(head, 'num_classes'):  # of mmpretrain
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
    # mmengine's preprocessor takes channels 2, 1 and 0 of any image; mmseg's and mmpretrain's only of three channels.
    if getattr(preprocessor, '_channel_conversion', False) and channels != 3:
        raise ValueError(
            'data_preprocessor.bgr_to_rgb or rgb_to_bgr is True, but reorders 3 channels, and the '
            f'backbone has in_channels={channels}: set it to False'
        )
