"""HRFormer-B + OCR on Cityscapes, windows of 15x15, tested with SegFix.

Published (paper, table 5): mIoU 83.2 on the test set, with SegFix and several scales.
56,196,480 parameters. The offsets are the authors' files, or what
`mim test mmseg configs/segfix_hrnet-w18_cityscapes.py` has written; --tta takes several scales.
Another variant, or the test server's files: the same two lines.
"""

_base_ = './ocr_hrformer-b-w15_cityscapes.py'
test_evaluator = dict(
    _delete_=True,
    type='hrformer_mm.SegFixEvaluator',
    offsets='work_dirs/segfix_offsets',
    metrics=[dict(type='IoUMetric', iou_metrics=['mIoU'])],
)
