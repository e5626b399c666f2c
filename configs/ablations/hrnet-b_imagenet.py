"""HRNet-B on ImageNet, 224x224: HRFormer-B with HRNet's basic blocks, fusions and neck (paper, table 11).

85,287,512 parameters. Backbone and neck are mmpretrain's.
"""

_base_ = ['../hrformer-b_imagenet.py', '../_base_/models/hrnet-b.py']
model = dict(
    backbone=dict(_delete_=True, type='HRNet', extra=_base_.hrnet),
    neck=[dict(type='HRFuseScales', in_channels=(78, 156, 312, 624)), dict(type='GlobalAveragePooling')],
)
