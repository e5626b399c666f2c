# Train with mixed precision in float16. The loss is scaled, and steps with overflowing gradients are skipped:
#     CONFIG=$PWD/configs/ocr_hrformer-b_cityscapes.py mim train mmseg configs/overlays/amp_fp16.py
_base_ = '{{$CONFIG:../ocr_hrformer-b_cityscapes.py}}'
optim_wrapper = dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
