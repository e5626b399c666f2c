"""HRFormer-T with shifted windows and no depth-wise convolutions, trained on ImageNet at 224x224 (paper, table 9).

The model has 7,942,508 parameters.
"""

_base_ = '../hrformer-t_imagenet.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
