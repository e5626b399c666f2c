"""HRNet-B + OCR on PASCAL-Context, 59 classes: HRFormer-B with HRNet's basic blocks and fusions (paper, table 11).

84,771,494 parameters. The backbone is mmseg's.
"""

_base_ = ['../ocr_hrformer-b_pascal-context-59.py', '../_base_/models/hrnet-b.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', norm_cfg=_base_.norm_cfg, extra=_base_.hrnet))
