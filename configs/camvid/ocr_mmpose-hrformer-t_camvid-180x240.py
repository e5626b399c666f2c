"""mmpose's HRFormer in the size of HRFormer-T, with the same OCR head, trained on CamVid.

The model has 3,273,530 parameters. It only accepts sizes divisible by 32, so images are padded to 192x256.
"""

_base_ = ['./ocr_hrformer-t_camvid-180x240.py', '../_base_/models/mmpose-hrformer-t.py']
custom_imports = dict(imports=['hrformer_mm', 'mmpose.models'])
model = dict(
    data_preprocessor=dict(size=(192, 256), test_cfg=dict(size_divisor=32)),
    backbone=dict(
        _delete_=True, type='mmpose.HRFormer', norm_cfg=_base_.norm_cfg, extra=_base_.hrformer, init_cfg=None
    ),
)
