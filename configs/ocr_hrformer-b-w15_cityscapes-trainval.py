"""HRFormer-B + OCR for Cityscapes' test server, windows of 15x15: trained on train and val together.

No published score. 56,196,480 parameters. mim test writes the label maps of the test images, in Cityscapes' own ids,
to work_dirs/cityscapes_test, to be packed and sent; that needs pip install cityscapesscripts. Another variant: name
its config as the base.
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
