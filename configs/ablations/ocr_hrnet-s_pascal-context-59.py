"""HRNet-S + OCR on PASCAL-Context, 59 classes: HRFormer-S with HRNet's basic blocks and fusions (paper, table 11).

18,216,118 parameters. The backbone is mmseg's.
"""

_base_ = ['../ocr_hrformer-s_pascal-context-59.py', '../_base_/models/hrnet-s.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', norm_cfg=_base_.norm_cfg, extra=_base_.hrnet))
