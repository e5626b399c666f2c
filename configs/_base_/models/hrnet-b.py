# HRNet-B (paper, table 11): HRFormer-B's modules and channels with basic blocks.
_base_ = './hrnet-t.py'
hrnet = dict(
    stage2=dict(num_channels=(78, 156)),
    stage3=dict(num_modules=4, num_channels=(78, 156, 312)),
    stage4=dict(num_channels=(78, 156, 312, 624)),
)
