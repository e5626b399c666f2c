"""Swin-T trained on ImageNet at 224x224 (paper, table 8).

The model has 28,288,354 parameters. The model is that of mmpretrain. The batch size is 1024, with 128 images on each of
8 GPUs.
"""

_base_ = [
    'mmpretrain::_base_/models/swin_transformer/tiny_224.py',
    'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py',
    '../_base_/schedules/imagenet_300e.py',
    'mmpretrain::_base_/default_runtime.py',
    '../_base_/hrformer_mm.py',
]
train_dataloader = dict(batch_size=128)
default_hooks = dict(safeguard=dict(type='hrformer_mm.Safeguard'), quiet=dict(type='hrformer_mm.QuietHook'))
