"""FCOS with HRFormer-S and HRFPN, trained on COCO detection for 12 epochs.

The paper has no detection model, so there is no published score. The model has 15,883,204 parameters. The recipe is
mmdet's for HRNetV2p, with AdamW. Training works with mmcv-lite. Testing requires full mmcv or
--cfg-options model.test_cfg.nms=None. To start from ImageNet weights:
--cfg-options model.backbone.init_cfg.type=Pretrained \\
    model.backbone.init_cfg.checkpoint=hrformer-s_imagenet-backbone
"""

_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', './_base_/hrformer_mm.py']
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=dict(_delete_=True, type='hrformer_mm.HRFormer', arch='small', drop_path_rate=0.2),
    neck=dict(_delete_=True, type='HRFPN', in_channels=[32, 64, 128, 256], out_channels=256, stride=2, num_outs=5),
)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=dict(relative_position_bias_table=dict(decay_mult=0.0))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=500, by_epoch=False),
    dict(type='MultiStepLR', milestones=[8, 11], gamma=0.1, begin=0, end=12, by_epoch=True),
]
train_dataloader = dict(batch_size=2)  # on each of 8 GPUs
default_hooks = dict(
    safeguard=dict(type='hrformer_mm.Safeguard'),
    deploy=dict(type='hrformer_mm.DeployHook'),
    quiet=dict(type='hrformer_mm.QuietHook'),
)
