# HRFormer-B for classification. For another variant, change backbone.arch and in_channels of the neck.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='hrformer_mm.HRFormer', arch='base', norm_cfg=dict(type='BN')),
    neck=[
        dict(type='hrformer_mm.ClassificationNeck', in_channels=(78, 156, 312, 624)),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=2048,
        init_cfg=None,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        cal_acc=False,
    ),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]),
)
