# Cityscapes with the authors' augmentation: scaling by 0.5 to 2, crops of 512x1024, flips, and a brightness shift of up
# to 10 of 255 (mmseg applies it to half of the images). One image on each of 8 GPUs.
_base_ = 'mmseg::_base_/datasets/cityscapes.py'
crop_size = (512, 1024)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=10,
        contrast_range=(1.0, 1.0),
        saturation_range=(1.0, 1.0),
        hue_delta=1,
    ),  # the minimum of mmseg: a hue shift of 0 or -2 degrees
    dict(type='PackSegInputs'),
]
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=train_pipeline))
