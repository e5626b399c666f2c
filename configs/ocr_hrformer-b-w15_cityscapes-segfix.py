"""HRFormer-B with OCR and windows of 15x15 on Cityscapes, tested with SegFix.

The published mIoU on the test set is 83.2, with SegFix and multi-scale testing (paper, table 5). The model has
56,196,480 parameters. The offsets are the authors' files, or those that
`mim test mmseg configs/segfix_hrnet-w18_cityscapes.py` writes; --tta enables multi-scale testing. The same two lines
add SegFix to another variant, or to the config for the test server.
"""

_base_ = './ocr_hrformer-b-w15_cityscapes.py'
test_evaluator = dict(
    _delete_=True,
    type='hrformer_mm.SegFixEvaluator',
    offsets='work_dirs/segfix_offsets',
    metrics=[dict(type='IoUMetric', iou_metrics=['mIoU'])],
)
