# HRFormer-B with OCR, starting from ImageNet weights. For another variant, change backbone.arch, backbone.init_cfg and
# decode_head.in_channels.
norm_cfg = dict(type='BN')
model = dict(
    type='hrformer_mm.EncoderDecoder',
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
        arch='base',
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='hrformer_mm://hrformer-b_imagenet-backbone'),
    ),
    decode_head=dict(
        type='hrformer_mm.OCRHead',
        version='v2',
        in_channels=[78, 156, 312, 624],
        num_classes=19,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='hrformer_mm.CrossEntropyLoss', loss_weight=1.0),
        loss_auxiliary=dict(type='hrformer_mm.CrossEntropyLoss', loss_weight=0.4),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
