"""HRFormer-S with mmseg's cascade of FCN and OCR heads, trained on Cityscapes as in OpenMMLab's port.

The published mIoU is 80.68 for single-scale and 81.65 for multi-scale testing, with 11.54 GB of memory on each of 4
GPUs (pull request 1382 of mmsegmentation, which was not merged; no weights are available). The model has
13,520,528 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    'mmseg::_base_/datasets/cityscapes.py',
    './_base_/schedules/seg_80k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
norm_cfg = dict(type='BN')
head = dict(
    in_channels=[32, 64, 128, 256],
    in_index=(0, 1, 2, 3),
    input_transform='resize_concat',
    channels=512,
    dropout_ratio=-1,
    num_classes=19,
    norm_cfg=norm_cfg,
    align_corners=False,
    sampler=dict(type='OHEMPixelSampler', thresh=0.9, min_kept=100000),
)
decode_head = [
    dict(
        type='FCNHead',
        kernel_size=3,
        num_convs=1,
        concat_input=False,
        **head,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
    ),
    dict(type='OCRHead', ocr_channels=256, **head, loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0)),
]
model = dict(
    type='CascadeEncoderDecoder',
    num_stages=2,
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 1024),
    ),
    backbone=dict(
        type='hrformer_mm.HRFormer',
        arch='small',
        drop_path_rate=0.2,
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='hrformer_mm://hrformer-s_imagenet-backbone'),
    ),
    decode_head=decode_head,
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
del head, decode_head

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0.0, begin=1500, end=80000, by_epoch=False),
]
optim_wrapper = dict(paramwise_cfg=dict(bias_decay_mult=1.0))
train_dataloader = dict(batch_size=2)  # on each of 4 GPUs
