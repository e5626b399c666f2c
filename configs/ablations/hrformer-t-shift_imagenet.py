"""HRFormer-T on ImageNet, 224x224, windows shifted as Swin's, no depth-wise convolution (paper, table 9).

7,942,508 parameters.
"""

_base_ = '../hrformer-t_imagenet.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
