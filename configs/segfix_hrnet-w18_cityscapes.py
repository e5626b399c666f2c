"""SegFix with HRNet-W18, trained on Cityscapes to predict boundaries and the directions away from them.

The model has 9,704,084 parameters. The recipe is the authors': 80,000 iterations of SGD with a batch size of 16 and
crops of 512x512. To start from ImageNet weights: --cfg-options model.backbone.init_cfg.type=Pretrained
model.backbone.init_cfg.checkpoint=open-mmlab://msra/hrnetv2_w18. mim test computes the scores and writes the offsets of
val to work_dirs/segfix_offsets. For another split, change the data set, e.g. --cfg-options
test_dataloader.dataset.data_prefix.img_path=leftImg8bit/test test_evaluator.format_only=True.
"""

_base_ = [
    'mmseg::_base_/models/fcn_hr18.py',
    './_base_/datasets/cityscapes_512x1024.py',
    './_base_/schedules/seg_80k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
crop_size = (512, 512)
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(norm_cfg=dict(type='BN')),
    decode_head=dict(
        _delete_=True, type='hrformer_mm.SegFixHead', in_channels=[18, 36, 72, 144], in_index=(0, 1, 2, 3)
    ),
)

targets = dict(type='hrformer_mm.BoundaryTargets')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=10,
        contrast_range=(1.0, 1.0),
        saturation_range=(1.0, 1.0),
        hue_delta=1,
    ),
    targets,
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
    dict(type='LoadAnnotations'),
    targets,
    dict(type='PackSegInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='hrformer_mm.OffsetMetric')
test_evaluator = dict(_delete_=True, type='hrformer_mm.OffsetMetric', output_dir='work_dirs/segfix_offsets')

optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.04, momentum=0.9, weight_decay=5e-4)
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=80000, by_epoch=False)]
default_hooks = dict(checkpoint=dict(save_best='boundary_IoU'))
auto_scale_lr = dict(base_batch_size=16)
