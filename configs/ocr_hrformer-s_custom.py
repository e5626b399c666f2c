"""HRFormer-S with OCR for your own segmentation data, starting from a model trained on Cityscapes.

The model has 13,506,414 parameters with the two classes below. Copy this file, and change metainfo (names and colors of
the classes, where the n-th is label n - 1, and label 255 is ignored), data_root and num_classes. An image and its label
map have the same name:
    data/custom/images/train/a.jpg, data/custom/labels/train/a.png, and the same for val
hrformer-mm convert hrt_small_ocr.pth weights.pth creates the checkpoint that training starts from. The classifiers of
its 19 classes are dropped, which the log reports.
"""

_base_ = [
    './_base_/models/ocr_hrformer.py',
    './_base_/datasets/seg_520x520.py',
    './_base_/schedules/seg_80k.py',
    'mmseg::_base_/default_runtime.py',
    './_base_/hrformer_mm.py',
]
load_from = 'weights.pth'
num_classes = 2
dataset = dict(
    type='BaseSegDataset',
    metainfo=dict(classes=('background', 'person'), palette=[[0, 0, 0], [220, 20, 60]]),
    data_root='data/custom/',
)
train_dataloader = dict(
    batch_size=4, dataset=dict(data_prefix=dict(img_path='images/train', seg_map_path='labels/train'), **dataset)
)
val_dataloader = dict(dataset=dict(data_prefix=dict(img_path='images/val', seg_map_path='labels/val'), **dataset))
test_dataloader = val_dataloader

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(arch='small', drop_path_rate=0.2, init_cfg=None),
    decode_head=dict(in_channels=[32, 64, 128, 256], num_classes=num_classes),
)

iters = 4000
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=200, by_epoch=False),
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=200, end=iters, by_epoch=False),
]
train_cfg = dict(max_iters=iters, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=500), safeguard=dict(may_differ=['decode_head.conv_seg', 'decode_head.auxiliary.3'])
)  # the classifiers, which depend on the number of classes
