# PASCAL-Context with 59 classes; the background is ignored, as by the authors.
_base_ = './seg_520x520.py'
dataset = dict(
    type='PascalContextDataset59',
    data_root='data/VOCdevkit/VOC2010/',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassContext'),
)
train_dataloader = dict(dataset=dict(ann_file='ImageSets/SegmentationContext/train.txt', **dataset))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/SegmentationContext/val.txt', **dataset))
test_dataloader = val_dataloader
