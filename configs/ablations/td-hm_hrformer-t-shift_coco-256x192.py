"""HRFormer-T on COCO keypoints, 256x192, windows shifted as Swin's, no depth-wise convolution (paper, table 9).

2,424,759 parameters.
"""

_base_ = '../td-hm_hrformer-t_coco-256x192.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
