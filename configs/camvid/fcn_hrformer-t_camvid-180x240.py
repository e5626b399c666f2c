"""HRFormer-T with a fully convolutional head, trained on CamVid.

The head is that of mmseg for HRNets of 18 channels. The model has 2,648,809 parameters.
"""

_base_ = './ocr_hrformer-t_camvid-180x240.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=[18, 36, 72, 144],
        in_index=(0, 1, 2, 3),
        input_transform='resize_concat',
        channels=270,
        num_convs=1,
        kernel_size=1,
        concat_input=False,
        dropout_ratio=-1,
        num_classes=11,
        norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='hrformer_mm.CrossEntropyLoss'),
    )
)
