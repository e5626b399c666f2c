# Gradients of 4 iterations for one step of the optimizer; the schedule still counts iterations, so that a fourth of the
# batch size goes with 4 times as many of them:
#     CONFIG=$PWD/configs/td-hm_hrformer-b_coco-256x192.py mim train mmpose configs/overlays/accumulate.py
_base_ = '{{$CONFIG:../td-hm_hrformer-b_coco-256x192.py}}'
optim_wrapper = dict(accumulative_counts=4)
