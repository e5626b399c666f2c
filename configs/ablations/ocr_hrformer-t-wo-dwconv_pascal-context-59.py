"""HRFormer-T with OCR and without depth-wise convolutions, trained on PASCAL-Context (59 classes; paper, table 7).

The model has 6,217,562 parameters. In the paper, mIoU is 2.9 higher with the convolution.
"""

_base_ = './ocr_hrformer-t_pascal-context-59.py'
model = dict(backbone=dict(with_dwconv=False))
