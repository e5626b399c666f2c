"""HRNet-S on COCO keypoints, 256x192: HRFormer-S with HRNet's basic blocks and fusions (paper, table 11).

11,772,849 parameters. The backbone is mmpose's.
"""

_base_ = ['../td-hm_hrformer-s_coco-256x192.py', '../_base_/models/hrnet-s.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
