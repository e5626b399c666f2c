"""HRFormer-T on Leeds Sports Pose with UDP.

2,518,014 parameters.
"""
_base_ = [
    '../_base_/models/td-hm_hrformer.py', '../_base_/datasets/lsp-udp_128x96.py', '../_base_/schedules/lsp_8e.py',
    '../_base_/hrformer_mm.py'
]
model = dict(
    backbone=dict(
        arch='tiny', window_sizes=(9, 7, 5, 3), drop_path_rate=0.0,
        init_cfg=dict(_delete_=True, type='Normal', std=0.001, layer='Conv2d')),
    head=dict(in_channels=18, out_channels=14, decoder=_base_.codec),
    test_cfg=dict(shift_heatmap=False))
