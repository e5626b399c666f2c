# HRNet-S (paper, table 11): HRFormer-S's modules and channels with basic blocks.
_base_ = './hrnet-t.py'
hrnet = dict(
    stage2=dict(num_channels=(32, 64)),
    stage3=dict(num_modules=4, num_channels=(32, 64, 128)),
    stage4=dict(num_channels=(32, 64, 128, 256)),
)
