"""HRNet-T on ImageNet, 224x224: HRFormer-T with HRNet's basic blocks, fusions and neck (paper, table 11).

15,593,624 parameters. Published: HRFormer-T has 2.0 more top-1. Backbone and neck are mmpretrain's.
"""

_base_ = ['../hrformer-t_imagenet.py', '../_base_/models/hrnet-t.py']
model = dict(
    backbone=dict(_delete_=True, type='HRNet', extra=_base_.hrnet),
    neck=[dict(type='HRFuseScales', in_channels=(18, 36, 72, 144)), dict(type='GlobalAveragePooling')],
)
