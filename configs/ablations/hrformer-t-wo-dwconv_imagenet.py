"""HRFormer-T on ImageNet, 224x224, its FFNs without their depth-wise convolution (paper, table 7).

7,942,508 parameters. Published: with the convolution, top-1 is 0.65 higher.
"""

_base_ = '../hrformer-t_imagenet.py'
model = dict(backbone=dict(with_dwconv=False))
