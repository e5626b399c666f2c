"""Swin-B with a deconvolution head, trained on COCO keypoints at 256x192 (paper, table 10).

The backbone is that of mmpretrain, and three deconvolutions upsample its output from stride 32 to 4. The model has
93,040,585 parameters. To start from ImageNet weights:
--cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE \\
    model.backbone.init_cfg.prefix=backbone.
"""

_base_ = '../td-hm_hrformer-b_coco-256x192.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.SwinTransformer',
        arch='base',
        img_size=(256, 192),
        pad_small_map=True,
        out_indices=(3,),
        drop_path_rate=0.3,
    ),
    head=dict(
        _delete_=True,
        type='HeatmapHead',
        in_channels=1024,
        out_channels=17,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=_base_.codec,
    ),
)
