"""HRNet-T, the counterpart of HRFormer-T, trained on Leeds Sports Pose (paper, table 11).

The model has 3,616,618 parameters. The backbone is that of mmpose.
"""

_base_ = ['./td-hm_hrformer-t_lsp-128x96.py', '../_base_/models/hrnet-t.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
