"""HRFormer-B with OCR and windows of 15x15, trained on train and val of Cityscapes for the test server.

There is no published score. The model has 56,196,480 parameters. mim test writes the label maps of the test images,
with the label ids of Cityscapes, to work_dirs/cityscapes_test, from where they can be packed and submitted. This
requires pip install cityscapesscripts. For another variant, use its config as the base.
"""

_base_ = './ocr_hrformer-b-w15_cityscapes.py'
dataset = dict(type='CityscapesDataset', data_root='data/cityscapes/', pipeline=_base_.train_pipeline)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'), **dataset),
            dict(data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'), **dataset),
        ],
    )
)
test_dataloader = dict(dataset=dict(data_prefix=dict(img_path='leftImg8bit/test', seg_map_path='gtFine/test')))
test_evaluator = dict(
    _delete_=True, type='CityscapesMetric', output_dir='work_dirs/cityscapes_test', format_only=True, keep_results=True
)
