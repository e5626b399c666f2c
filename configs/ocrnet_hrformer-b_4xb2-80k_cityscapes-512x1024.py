"""HRFormer-B with mmseg's cascade of FCN and OCR heads, trained on Cityscapes as in OpenMMLab's port.

The published mIoU is 82.07 for single-scale and 82.69 for multi-scale testing, with 23.80 GB of memory on each of 4
GPUs (pull request 1382 of mmsegmentation, which was not merged; no weights are available). The model has
56,029,184 parameters. Training starts from ImageNet weights. To start from random weights:
--cfg-options model.backbone.init_cfg=None
"""

_base_ = './ocrnet_hrformer-s_4xb2-80k_cityscapes-512x1024.py'
decode_head = _base_.model.decode_head
for head in decode_head:
    head.in_channels = [78, 156, 312, 624]
model = dict(
    backbone=dict(
        arch='base', drop_path_rate=0.4, init_cfg=dict(checkpoint='hrformer_mm://hrformer-b_imagenet-backbone')
    ),
    decode_head=decode_head,
)
del head, decode_head
