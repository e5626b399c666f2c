"""HRFormer-T on Leeds Sports Pose, its FFNs without their depth-wise convolution (paper, table 7).

2,424,702 parameters.
"""

_base_ = './td-hm_hrformer-t_lsp-128x96.py'
model = dict(backbone=dict(with_dwconv=False))
