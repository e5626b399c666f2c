"""Swin-T with a depth-wise convolution in its FFNs, trained on ImageNet at 224x224 (paper, table 8).

The model has 28,544,482 parameters.
"""

_base_ = './swin-t_imagenet.py'
model = dict(backbone=dict(type='hrformer_mm.DepthwiseSwinTransformer'))
