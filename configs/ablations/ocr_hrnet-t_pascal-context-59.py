"""HRNet-T + OCR on PASCAL-Context, 59 classes: HRFormer-T with HRNet's basic blocks and fusions (paper, table 11).

7,599,206 parameters. Published: HRFormer-T has 1.5 more mIoU. The backbone is mmseg's.
"""

_base_ = ['./ocr_hrformer-t_pascal-context-59.py', '../_base_/models/hrnet-t.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', norm_cfg=_base_.norm_cfg, extra=_base_.hrnet))
