# The authors' schedule for COCO: AdamW, linear warm-up over 500 iterations, two steps, and a batch size of 256.
_base_ = 'mmpose::_base_/default_runtime.py'
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(relative_position_bias_table=dict(decay_mult=0.0))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=500, by_epoch=False),
    dict(type='MultiStepLR', milestones=[170, 200], gamma=0.1, begin=0, end=210, by_epoch=True),
]
train_cfg = dict(by_epoch=True, max_epochs=210, val_interval=10)
default_hooks = dict(
    checkpoint=dict(save_best='coco/AP', rule='greater'),
    safeguard=dict(type='hrformer_mm.Safeguard'),
    deploy=dict(type='hrformer_mm.DeployHook'),
    quiet=dict(type='hrformer_mm.QuietHook'),
)
auto_scale_lr = dict(enable=False, base_batch_size=256)
visualizer = dict(backend='matplotlib')  # mmpose's OpenCV backend fails with NumPy 2
