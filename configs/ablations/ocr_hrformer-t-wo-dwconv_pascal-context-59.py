"""HRFormer-T + OCR on PASCAL-Context, 59 classes, its FFNs without their depth-wise convolution (paper, table 7).

6,217,562 parameters. Published: with the convolution, mIoU is 2.9 higher.
"""

_base_ = './ocr_hrformer-t_pascal-context-59.py'
model = dict(backbone=dict(with_dwconv=False))
