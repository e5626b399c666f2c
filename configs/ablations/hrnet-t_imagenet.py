"""HRNet-T, the counterpart of HRFormer-T, trained on ImageNet at 224x224 (paper, table 11).

The model has 15,593,624 parameters. In the paper, top-1 accuracy of HRFormer-T is 2.0 higher. Backbone and neck are
those of mmpretrain.
"""

_base_ = ['../hrformer-t_imagenet.py', '../_base_/models/hrnet-t.py']
model = dict(
    backbone=dict(_delete_=True, type='HRNet', extra=_base_.hrnet),
    neck=[dict(type='HRFuseScales', in_channels=(18, 36, 72, 144)), dict(type='GlobalAveragePooling')],
)
