"""HRFormer-T with shifted windows and no depth-wise convolution, trained on COCO keypoints at 256x192 (paper, table 9).

The model has 2,424,759 parameters.
"""

_base_ = '../td-hm_hrformer-t_coco-256x192.py'
model = dict(backbone=dict(with_dwconv=False, shift_windows=True))
