"""HRFormer-T without depth-wise convolutions, trained on Leeds Sports Pose (paper, table 7).

The model has 2,424,702 parameters.
"""

_base_ = './td-hm_hrformer-t_lsp-128x96.py'
model = dict(backbone=dict(with_dwconv=False))
