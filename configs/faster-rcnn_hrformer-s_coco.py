"""Faster R-CNN on HRFormer-S and HRFPN, COCO detection, 12 epochs.

Beyond the paper, no published score. 25,865,226 parameters. mmdet's HRNetV2p recipe, with AdamW as the backbone wants
it and torchvision's RoIAlign, which mmcv-lite lacks. ImageNet weights:
--cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
"""
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py', 'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py', 'mmdet::_base_/default_runtime.py', './_base_/hrformer_mm.py'
]
model = dict(
    backbone=dict(_delete_=True, type='hrformer_mm.HRFormer', arch='small', drop_path_rate=0.2),
    neck=dict(_delete_=True, type='HRFPN', in_channels=[32, 64, 128, 256], out_channels=256),
    roi_head=dict(bbox_roi_extractor=dict(roi_layer=dict(use_torchvision=True))))
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys=dict(relative_position_bias_table=dict(decay_mult=0.0))))
