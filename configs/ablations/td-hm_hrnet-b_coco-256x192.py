"""HRNet-B on COCO keypoints, 256x192: HRFormer-B with HRNet's basic blocks and fusions (paper, table 11).

68,175,703 parameters. The backbone is mmpose's.
"""

_base_ = ['../td-hm_hrformer-b_coco-256x192.py', '../_base_/models/hrnet-b.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
