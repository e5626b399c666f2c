"""HRNet-T on COCO keypoints, 256x192: HRFormer-T with HRNet's basic blocks and fusions (paper, table 11).

3,616,675 parameters. Published: HRFormer-T has 1.6 more AP. The backbone is mmpose's.
"""

_base_ = ['../td-hm_hrformer-t_coco-256x192.py', '../_base_/models/hrnet-t.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
