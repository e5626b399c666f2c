# The authors' schedule for ADE20K: that for Cityscapes with 150k iterations and a batch size of 8.
_base_ = './seg_80k.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=1500, end=150000, by_epoch=False),
]
train_cfg = dict(max_iters=150000, val_interval=10000)
default_hooks = dict(checkpoint=dict(interval=10000))
auto_scale_lr = dict(base_batch_size=8)
