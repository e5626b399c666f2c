# HRFormer-T for mmpose's own HRFormer, as extra=_base_.hrformer: for segmentation, with nearest upsampling.
hrformer = dict(
    drop_path_rate=0.0,
    with_rpe=True,
    upsample=dict(mode='nearest', align_corners=None),
    stage1=dict(
        num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2, ), num_channels=(64, ), num_heads=(2, ),
        num_mlp_ratios=(4, )),
    stage2=dict(
        num_modules=1, num_branches=2, block='HRFORMERBLOCK', num_blocks=(2, 2), num_channels=(18, 36),
        num_heads=(1, 2), mlp_ratios=(4, 4), window_sizes=(7, 7)),
    stage3=dict(
        num_modules=3, num_branches=3, block='HRFORMERBLOCK', num_blocks=(2, 2, 2), num_channels=(18, 36, 72),
        num_heads=(1, 2, 4), mlp_ratios=(4, 4, 4), window_sizes=(7, 7, 7)),
    stage4=dict(
        num_modules=2, num_branches=4, block='HRFORMERBLOCK', num_blocks=(2, 2, 2, 2), num_channels=(18, 36, 72, 144),
        num_heads=(1, 2, 4, 8), mlp_ratios=(4, 4, 4, 4), window_sizes=(7, 7, 7, 7), multiscale_output=True))
