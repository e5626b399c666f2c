"""HRNet-S, the counterpart of HRFormer-S, trained on COCO keypoints at 256x192 (paper, table 11).

The model has 11,772,849 parameters. The backbone is that of mmpose.
"""

_base_ = ['../td-hm_hrformer-s_coco-256x192.py', '../_base_/models/hrnet-s.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
