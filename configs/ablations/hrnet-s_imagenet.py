"""HRNet-S on ImageNet, 224x224: HRFormer-S with HRNet's basic blocks, fusions and neck (paper, table 11).

24,465,576 parameters. Backbone and neck are mmpretrain's.
"""

_base_ = ['../hrformer-s_imagenet.py', '../_base_/models/hrnet-s.py']
model = dict(
    backbone=dict(_delete_=True, type='HRNet', extra=_base_.hrnet),
    neck=[dict(type='HRFuseScales', in_channels=(32, 64, 128, 256)), dict(type='GlobalAveragePooling')],
)
