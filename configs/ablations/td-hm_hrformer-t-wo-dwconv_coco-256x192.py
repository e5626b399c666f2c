"""HRFormer-T without depth-wise convolutions, trained on COCO keypoints at 256x192 (paper, table 7).

The model has 2,424,759 parameters. In the paper, AP is 4.04 higher with the convolution.
"""

_base_ = '../td-hm_hrformer-t_coco-256x192.py'
model = dict(backbone=dict(with_dwconv=False))
