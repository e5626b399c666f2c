# The authors' schedule for ImageNet is that of Swin, with gradients clipped to a norm of 5 and without an exponential
# moving average of the weights.
_base_ = 'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py'
optim_wrapper = dict(clip_grad=dict(max_norm=5.0))
