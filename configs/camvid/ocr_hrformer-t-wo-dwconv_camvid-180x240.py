"""HRFormer-T with OCR and without depth-wise convolutions, trained on CamVid (paper, table 7).

The model has 3,180,218 parameters.
"""

_base_ = './ocr_hrformer-t_camvid-180x240.py'
model = dict(backbone=dict(with_dwconv=False))
