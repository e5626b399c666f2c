"""DeiT-B with a deconvolution head, trained on COCO keypoints at 256x192 (paper, table 10).

The backbone is that of mmpretrain, and two deconvolutions upsample its output from stride 16 to 4. The model has
89,993,745 parameters. To start from ImageNet weights:
--cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE \\
    model.backbone.init_cfg.prefix=backbone.
"""

_base_ = '../td-hm_hrformer-b_coco-256x192.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='deit-base',
        img_size=(256, 192),
        patch_size=16,
        with_cls_token=False,
        out_type='featmap',
        drop_path_rate=0.2,
    ),
    head=dict(
        _delete_=True,
        type='HeatmapHead',
        in_channels=768,
        deconv_out_channels=(256, 256),
        deconv_kernel_sizes=(4, 4),
        out_channels=17,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=_base_.codec,
    ),
)
