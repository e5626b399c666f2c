"""HRFormer-T on Leeds Sports Pose, windows shifted as Swin's, no depth-wise convolution (paper, table 9).

2,424,702 parameters.
"""

_base_ = './td-hm_hrformer-t_lsp-128x96.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
