# The authors' schedule for ImageNet: Swin's, gradients clipped at a norm of 5. They keep no moving average of weights.
_base_ = 'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py'
optim_wrapper = dict(clip_grad=dict(max_norm=5.0))
