"""HRNet-T, the counterpart of HRFormer-T, trained on COCO keypoints at 256x192 (paper, table 11).

The model has 3,616,675 parameters. In the paper, AP of HRFormer-T is 1.6 higher. The backbone is that of mmpose.
"""

_base_ = ['../td-hm_hrformer-t_coco-256x192.py', '../_base_/models/hrnet-t.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
