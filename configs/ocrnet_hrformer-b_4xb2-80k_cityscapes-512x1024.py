"""HRFormer-B with mmseg's cascade of FCN head and OCR head on Cityscapes, as OpenMMLab ported it.

Published (OpenMMLab's port, pull request 1382 of mmsegmentation, never merged; no weights): mIoU 82.07 single scale,
82.69 multi-scale, 23.80 GB on each of 4 GPUs.
56,029,184 parameters. Training starts from ImageNet weights (hrformer-mm weights); from random ones:
--cfg-options model.backbone.init_cfg=None
"""
_base_ = './ocrnet_hrformer-s_4xb2-80k_cityscapes-512x1024.py'
norm_cfg = dict(type='BN')
head = dict(
    in_channels=[78, 156, 312, 624],
    in_index=(0, 1, 2, 3),
    input_transform='resize_concat',
    channels=512,
    dropout_ratio=-1,
    num_classes=19,
    norm_cfg=norm_cfg,
    align_corners=False,
    sampler=dict(type='OHEMPixelSampler', thresh=0.9, min_kept=100000))
decode_head = [
    dict(type='FCNHead', kernel_size=3, num_convs=1, concat_input=False, **head,
         loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4)),
    dict(type='OCRHead', ocr_channels=256, **head, loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0)),
]
model = dict(
    backbone=dict(
        arch='base', drop_path_rate=0.4, init_cfg=dict(checkpoint='hrformer_mm://hrformer-b_imagenet-backbone')),
    decode_head=decode_head)
del head, decode_head
