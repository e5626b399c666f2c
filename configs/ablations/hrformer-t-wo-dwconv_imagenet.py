"""HRFormer-T without depth-wise convolutions, trained on ImageNet at 224x224 (paper, table 7).

The model has 7,942,508 parameters. In the paper, top-1 accuracy is 0.65 higher with the convolution.
"""

_base_ = '../hrformer-t_imagenet.py'
model = dict(backbone=dict(with_dwconv=False))
