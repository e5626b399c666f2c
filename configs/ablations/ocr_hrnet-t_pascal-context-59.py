"""HRNet-T with OCR, the counterpart of HRFormer-T, trained on PASCAL-Context (59 classes; paper, table 11).

The model has 7,599,206 parameters. In the paper, mIoU of HRFormer-T is 1.5 higher. The backbone is that of mmseg.
"""

_base_ = ['./ocr_hrformer-t_pascal-context-59.py', '../_base_/models/hrnet-t.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', norm_cfg=_base_.norm_cfg, extra=_base_.hrnet))
