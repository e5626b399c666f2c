"""HRNet-S, the counterpart of HRFormer-S, trained on ImageNet at 224x224 (paper, table 11).

The model has 24,465,576 parameters. Backbone and neck are those of mmpretrain.
"""

_base_ = ['../hrformer-s_imagenet.py', '../_base_/models/hrnet-s.py']
model = dict(
    backbone=dict(_delete_=True, type='HRNet', extra=_base_.hrnet),
    neck=[dict(type='HRFuseScales', in_channels=(32, 64, 128, 256)), dict(type='GlobalAveragePooling')],
)
