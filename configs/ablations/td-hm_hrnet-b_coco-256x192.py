"""HRNet-B, the counterpart of HRFormer-B, trained on COCO keypoints at 256x192 (paper, table 11).

The model has 68,175,703 parameters. The backbone is that of mmpose.
"""

_base_ = ['../td-hm_hrformer-b_coco-256x192.py', '../_base_/models/hrnet-b.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
