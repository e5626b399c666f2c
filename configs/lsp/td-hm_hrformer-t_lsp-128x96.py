"""HRFormer-T trained from scratch on Leeds Sports Pose (14 keypoints) at 128x96, in minutes on two CPU cores.

The model has 2,518,014 parameters. See docs/train_your_data.md for the data.
"""

_base_ = [
    '../_base_/models/td-hm_hrformer.py',
    '../_base_/datasets/lsp_128x96.py',
    '../_base_/schedules/lsp_8e.py',
    '../_base_/hrformer_mm.py',
]
model = dict(
    backbone=dict(
        arch='tiny',
        window_sizes=(9, 7, 5, 3),
        drop_path_rate=0.0,
        init_cfg=dict(_delete_=True, type='Normal', std=0.001, layer='Conv2d'),
    ),
    head=dict(in_channels=18, out_channels=14, decoder=_base_.codec),
)
