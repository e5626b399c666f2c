# The keypoints of Leeds Sports Pose. They are in a separate file because mmpose uses the order of the dict, and a
# dumped config sorts 10 before 2.
right, left, middle = [255, 128, 0], [0, 255, 0], [51, 153, 255]
dataset_info = dict(
    dataset_name='lsp',
    paper_info=dict(
        author='Sam Johnson and Mark Everingham',
        title='Learning Effective Human Pose Estimation from Inaccurate Annotation',
        container='IEEE Conference on Computer Vision and Pattern Recognition (CVPR)',
        year='2011',
        homepage='',
    ),
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
    # COCO's sigmas for common joints, those of shoulders and nose for neck and head. PCK does not use them.
    sigmas=[0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062, 0.079, 0.026],
)
