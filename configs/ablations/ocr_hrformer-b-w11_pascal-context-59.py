"""HRFormer-B with OCR and windows of 11x11, trained on PASCAL-Context (paper, table 12).

The model has 56,139,920 parameters. The models with windows of 7x7 and 15x15 are ../ocr_hrformer-b_pascal-context-59.py
and ../ocr_hrformer-b-w15_pascal-context-59.py.
"""

_base_ = '../ocr_hrformer-b_pascal-context-59.py'
model = dict(backbone=dict(window_sizes=11))
