"""Swin-T on ImageNet, 224x224, with the depth-wise convolution in its FFNs (paper, table 8).

28,544,482 parameters.
"""

_base_ = './swin-t_imagenet.py'
model = dict(backbone=dict(type='hrformer_mm.DepthwiseSwinTransformer'))
