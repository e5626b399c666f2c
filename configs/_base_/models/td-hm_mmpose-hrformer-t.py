# HRFormer-T for pose estimation with mmpose's HRFormer: windows of 9, 7, 5 and 3, bilinear upsampling, one output.
_base_ = './mmpose-hrformer-t.py'
hrformer = dict(
    upsample=dict(mode='bilinear', align_corners=False),
    stage2=dict(window_sizes=(9, 7)),
    stage3=dict(window_sizes=(9, 7, 5)),
    stage4=dict(window_sizes=(9, 7, 5, 3), multiscale_output=False),
)
