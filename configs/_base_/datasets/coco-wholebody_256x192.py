# COCO-WholeBody with 133 keypoints, and the images and pipelines of COCO keypoints at 256x192.
_base_ = './coco_256x192.py'
dataset_type = 'CocoWholeBodyDataset'
data_root = 'data/coco/'
train_dataloader = dict(
    dataset=dict(type='CocoWholeBodyDataset', ann_file='annotations/coco_wholebody_train_v1.0.json')
)
val_dataloader = dict(dataset=dict(type='CocoWholeBodyDataset', ann_file='annotations/coco_wholebody_val_v1.0.json'))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='CocoWholeBodyMetric', ann_file=data_root + 'annotations/coco_wholebody_val_v1.0.json'
)
test_evaluator = val_evaluator
