# A short schedule for training from scratch: AdamW, 60 iterations of warm-up, and polynomial decay.
_base_ = './seg_80k.py'
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=60, by_epoch=False),
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=60, end=900, by_epoch=False),
]
train_cfg = dict(max_iters=900, val_interval=60)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=60, max_keep_ckpts=1))
