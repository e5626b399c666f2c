# ADE20K with 150 classes and one image on each of 8 GPUs.
_base_ = './seg_520x520.py'
dataset = dict(type='ADE20KDataset', data_root='data/ade/ADEChallengeData2016')
train_dataloader = dict(
    batch_size=1,
    dataset=dict(data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'), **dataset),
)
val_dataloader = dict(
    dataset=dict(data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'), **dataset)
)
test_dataloader = val_dataloader
