"""IntraWin-T, which is Swin-T without shifted windows, trained on ImageNet at 224x224 (paper, table 8).

The model has 28,288,354 parameters.
"""

_base_ = './swin-t_imagenet.py'
model = dict(backbone=dict(stage_cfgs=dict(block_cfgs=dict(shift=False))))
