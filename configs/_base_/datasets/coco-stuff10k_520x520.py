# COCO-Stuff 10k with 171 classes, in the layout of mmseg's tools/dataset_converters/coco_stuff10k.py.
_base_ = './seg_520x520.py'
dataset = dict(type='COCOStuffDataset', data_root='data/coco_stuff10k', reduce_zero_label=True)
train_dataloader = dict(
    dataset=dict(data_prefix=dict(img_path='images/train2014', seg_map_path='annotations/train2014'), **dataset)
)
val_dataloader = dict(
    dataset=dict(data_prefix=dict(img_path='images/test2014', seg_map_path='annotations/test2014'), **dataset)
)
test_dataloader = val_dataloader
