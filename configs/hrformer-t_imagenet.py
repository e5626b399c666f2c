"""HRFormer-T trained on ImageNet at 224x224.

The published top-1 accuracy is 78.5 % (paper, table 6). The model has 8,035,820 parameters. The batch size is 1024,
with 128 images on each of 8 GPUs.
"""

_base_ = [
    './_base_/models/hrformer_classifier.py',
    'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py',
    './_base_/schedules/imagenet_300e.py',
    'mmpretrain::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
model = dict(
    backbone=dict(arch='tiny', drop_path_rate=0.0),
    neck=[
        dict(type='hrformer_mm.ClassificationNeck', in_channels=(18, 36, 72, 144)),
        dict(type='GlobalAveragePooling'),
    ],
)
train_dataloader = dict(batch_size=128)
default_hooks = dict(
    safeguard=dict(type='hrformer_mm.Safeguard'),
    deploy=dict(type='hrformer_mm.DeployHook'),
    quiet=dict(type='hrformer_mm.QuietHook'),
)
