# Leeds Sports Pose, extended: 14 keypoints, top-down, persons cropped to 128x96 with their annotated boxes, which have
# margins. PCK is normalized by the longer side of that box: at 0.2 of it, and at 0.05 (about 0.2 of a torso).
dataset_type = 'CocoDataset'
data_mode = 'topdown'
data_root = 'data/lsp/'
codec = dict(type='MSRAHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1.5)

right, left, middle = [255, 128, 0], [0, 255, 0], [51, 153, 255]
metainfo = dict(
    dataset_name='lsp',
    paper_info=dict(
        author='Sam Johnson and Mark Everingham',
        title='Learning Effective Human Pose Estimation from Inaccurate Annotation',
        container='IEEE Conference on Computer Vision and Pattern Recognition (CVPR)',
        year='2011',
        homepage=''),
    keypoint_info={
        0: dict(name='right_ankle', id=0, color=right, type='lower', swap='left_ankle'),
        1: dict(name='right_knee', id=1, color=right, type='lower', swap='left_knee'),
        2: dict(name='right_hip', id=2, color=right, type='lower', swap='left_hip'),
        3: dict(name='left_hip', id=3, color=left, type='lower', swap='right_hip'),
        4: dict(name='left_knee', id=4, color=left, type='lower', swap='right_knee'),
        5: dict(name='left_ankle', id=5, color=left, type='lower', swap='right_ankle'),
        6: dict(name='right_wrist', id=6, color=right, type='upper', swap='left_wrist'),
        7: dict(name='right_elbow', id=7, color=right, type='upper', swap='left_elbow'),
        8: dict(name='right_shoulder', id=8, color=right, type='upper', swap='left_shoulder'),
        9: dict(name='left_shoulder', id=9, color=left, type='upper', swap='right_shoulder'),
        10: dict(name='left_elbow', id=10, color=left, type='upper', swap='right_elbow'),
        11: dict(name='left_wrist', id=11, color=left, type='upper', swap='right_wrist'),
        12: dict(name='neck', id=12, color=middle, type='upper', swap=''),
        13: dict(name='head_top', id=13, color=middle, type='upper', swap=''),
    },
    skeleton_info={
        0: dict(link=('right_ankle', 'right_knee'), id=0, color=right),
        1: dict(link=('right_knee', 'right_hip'), id=1, color=right),
        2: dict(link=('right_hip', 'left_hip'), id=2, color=middle),
        3: dict(link=('left_hip', 'left_knee'), id=3, color=left),
        4: dict(link=('left_knee', 'left_ankle'), id=4, color=left),
        5: dict(link=('right_wrist', 'right_elbow'), id=5, color=right),
        6: dict(link=('right_elbow', 'right_shoulder'), id=6, color=right),
        7: dict(link=('right_shoulder', 'left_shoulder'), id=7, color=middle),
        8: dict(link=('left_shoulder', 'left_elbow'), id=8, color=left),
        9: dict(link=('left_elbow', 'left_wrist'), id=9, color=left),
        10: dict(link=('neck', 'right_shoulder'), id=10, color=right),
        11: dict(link=('neck', 'left_shoulder'), id=11, color=left),
        12: dict(link=('neck', 'head_top'), id=12, color=middle),
    },
    joint_weights=[1.0] * 14,
    # COCO's for the joints that it has; neck and head as its shoulders and nose. PCK does not use them.
    sigmas=[0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062, 0.079, 0.026])

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
    dataset=dict(ann_file='train.json', data_prefix=dict(img='train/'), pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        ann_file='val.json', data_prefix=dict(img='val/'), test_mode=True, pipeline=val_pipeline, **dataset))
test_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        ann_file='test.json', data_prefix=dict(img='test/'), test_mode=True, pipeline=val_pipeline, **dataset))
val_evaluator = [
    dict(type='PCKAccuracy', thr=0.2, norm_item='bbox', prefix='at_0.2'),
    dict(type='PCKAccuracy', thr=0.05, norm_item='bbox', prefix='at_0.05'),
]
test_evaluator = val_evaluator
