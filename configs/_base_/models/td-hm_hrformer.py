# HRFormer-B with a heatmap head, starting from ImageNet weights. For another variant, change backbone.arch,
# backbone.init_cfg and head.in_channels.
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        type='hrformer_mm.HRFormer',
        arch='base',
        out_indices=(0,),
        fuse_upsample='bilinear',
        norm_cfg=dict(type='BN'),
        init_cfg=dict(type='Pretrained', checkpoint='hrformer_mm://hrformer-b_imagenet-backbone'),
    ),
    head=dict(
        type='hrformer_mm.TopdownHeatmapHead',
        in_channels=78,
        out_channels=17,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)
