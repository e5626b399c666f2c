"""HRFormer-T on COCO keypoints, 256x192, its FFNs without their depth-wise convolution (paper, table 7).

2,424,759 parameters. Published: with the convolution, AP is 4.04 higher.
"""

_base_ = '../td-hm_hrformer-t_coco-256x192.py'
model = dict(backbone=dict(with_dwconv=False))
