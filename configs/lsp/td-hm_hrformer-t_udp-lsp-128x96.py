"""HRFormer-T with unbiased data processing (UDP, arXiv 1911.07524), trained on Leeds Sports Pose.

The model has 2,518,014 parameters.
"""

_base_ = './td-hm_hrformer-t_lsp-128x96.py'
codec = dict(_base_.codec, type='UDPHeatmap')
train_pipeline, val_pipeline = _base_.train_pipeline, _base_.val_pipeline
train_pipeline[-3].use_udp = val_pipeline[-2].use_udp = True
train_pipeline[-2].encoder = codec
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
model = dict(head=dict(decoder=codec), test_cfg=dict(shift_heatmap=False))
