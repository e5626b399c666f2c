"""HRNet-T with OCR, the counterpart of HRFormer-T, trained on CamVid (paper, table 11).

The model has 4,561,862 parameters. The backbone is that of mmseg.
"""

_base_ = ['./ocr_hrformer-t_camvid-180x240.py', '../_base_/models/hrnet-t.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', norm_cfg=_base_.norm_cfg, extra=_base_.hrnet))
