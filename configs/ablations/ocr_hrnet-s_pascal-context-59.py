"""HRNet-S with OCR, the counterpart of HRFormer-S, trained on PASCAL-Context (59 classes; paper, table 11).

The model has 18,216,118 parameters. The backbone is that of mmseg.
"""

_base_ = ['../ocr_hrformer-s_pascal-context-59.py', '../_base_/models/hrnet-s.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', norm_cfg=_base_.norm_cfg, extra=_base_.hrnet))
