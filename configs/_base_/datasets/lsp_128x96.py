# Leeds Sports Pose Extended with 14 keypoints, top-down, with persons cropped to 128x96 by their annotated boxes, which
# include margins. PCK is normalized by the longer side of the box, at 0.2 and at 0.05 (about 0.2 of a torso).
dataset_type = 'CocoDataset'
data_mode = 'topdown'
data_root = 'data/lsp/'
codec = dict(type='MSRAHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1.5)

metainfo = dict(from_file='{{ fileDirname }}/lsp_keypoints.py')

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.0),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', scale_factor=(0.75, 1.25), rotate_factor=60),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.0),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]
dataset = dict(type=dataset_type, data_root=data_root, data_mode=data_mode, metainfo=metainfo)
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='train.json', data_prefix=dict(img='train/'), pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(ann_file='val.json', data_prefix=dict(img='val/'), test_mode=True, pipeline=val_pipeline, **dataset),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(ann_file='test.json', data_prefix=dict(img='test/'), test_mode=True, pipeline=val_pipeline, **dataset),
)
val_evaluator = [
    dict(type='PCKAccuracy', thr=0.2, norm_item='bbox', prefix='at_0.2'),
    dict(type='PCKAccuracy', thr=0.05, norm_item='bbox', prefix='at_0.05'),
]
test_evaluator = val_evaluator
