"""IntraWin-T on ImageNet, 224x224, with the depth-wise convolution in its FFNs (paper, table 8).

28,544,482 parameters.
"""

_base_ = './swin-t-dwconv_imagenet.py'
model = dict(backbone=dict(stage_cfgs=dict(block_cfgs=dict(shift=False))))
