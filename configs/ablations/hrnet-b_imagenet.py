"""HRNet-B, the counterpart of HRFormer-B, trained on ImageNet at 224x224 (paper, table 11).

The model has 85,287,512 parameters. Backbone and neck are those of mmpretrain.
"""

_base_ = ['../hrformer-b_imagenet.py', '../_base_/models/hrnet-b.py']
model = dict(
    backbone=dict(_delete_=True, type='HRNet', extra=_base_.hrnet),
    neck=[dict(type='HRFuseScales', in_channels=(78, 156, 312, 624)), dict(type='GlobalAveragePooling')],
)
