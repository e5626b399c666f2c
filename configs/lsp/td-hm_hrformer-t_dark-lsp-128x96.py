"""HRFormer-T with distribution-aware coordinates (DARK, arXiv 1910.06278), trained on Leeds Sports Pose.

The model has 2,518,014 parameters.
"""

_base_ = './td-hm_hrformer-t_lsp-128x96.py'
codec = dict(_base_.codec, unbiased=True, blur_kernel_size=7)
train_pipeline = _base_.train_pipeline
train_pipeline[-2].encoder = codec
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(head=dict(decoder=codec))
