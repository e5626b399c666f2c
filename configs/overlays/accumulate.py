# Accumulate the gradients of 4 iterations for each step of the optimizer. The schedule counts iterations: with a
# quarter of the batch size, train for 4 times as many iterations.
#     CONFIG=$PWD/configs/td-hm_hrformer-b_coco-256x192.py mim train mmpose configs/overlays/accumulate.py
_base_ = '{{$CONFIG:../td-hm_hrformer-b_coco-256x192.py}}'
optim_wrapper = dict(accumulative_counts=4)
