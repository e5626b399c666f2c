"""HRFormer-B with mmseg's cascade of FCN head and OCR head on Cityscapes, as OpenMMLab ported it.

Published (OpenMMLab's port, pull request 1382 of mmsegmentation, never merged; no weights): mIoU 82.07 single scale,
82.69 multi-scale, 23.80 GB on each of 4 GPUs.
56,029,184 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = './ocrnet_hrformer-s_4xb2-80k_cityscapes-512x1024.py'
decode_head = _base_.model.decode_head
for head in decode_head:
    head.in_channels = [78, 156, 312, 624]
model = dict(
    backbone=dict(
        arch='base', drop_path_rate=0.4, init_cfg=dict(checkpoint='hrformer_mm://hrformer-b_imagenet-backbone')
    ),
    decode_head=decode_head,
)
del head, decode_head
