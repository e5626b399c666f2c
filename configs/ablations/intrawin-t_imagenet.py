"""IntraWin-T on ImageNet, 224x224: Swin-T without the shift of its windows (paper, table 8).

28,288,354 parameters.
"""

_base_ = './swin-t_imagenet.py'
model = dict(backbone=dict(stage_cfgs=dict(block_cfgs=dict(shift=False))))
