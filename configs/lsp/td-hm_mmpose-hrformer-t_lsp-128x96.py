"""mmpose's HRFormer in the size of HRFormer-T, trained on Leeds Sports Pose.

The model has 2,518,014 parameters.
"""

_base_ = ['./td-hm_hrformer-t_lsp-128x96.py', '../_base_/models/td-hm_mmpose-hrformer-t.py']
model = dict(backbone=dict(_delete_=True, type='HRFormer', extra=_base_.hrformer))
