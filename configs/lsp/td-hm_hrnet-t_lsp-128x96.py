"""HRNet-T on Leeds Sports Pose: HRFormer-T with HRNet's basic blocks and fusions (paper, table 11).

3,616,618 parameters. The backbone is mmpose's.
"""

_base_ = ['./td-hm_hrformer-t_lsp-128x96.py', '../_base_/models/hrnet-t.py']
model = dict(backbone=dict(_delete_=True, type='HRNet', in_channels=3, extra=_base_.hrnet))
