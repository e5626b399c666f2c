"""HRFormer-B + OCR on PASCAL-Context, windows of 15, 13, 11 and 9 (paper, table 12).

56,151,696 parameters. Its windows of 7x7 and 15x15 are ../ocr_hrformer-b_pascal-context-59.py and
../ocr_hrformer-b-w15_pascal-context-59.py.
"""

_base_ = '../ocr_hrformer-b_pascal-context-59.py'
model = dict(backbone=dict(window_sizes=(15, 13, 11, 9)))
