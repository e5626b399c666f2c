# Train with mixed precision in bfloat16, which needs no loss scaling:
#     CONFIG=$PWD/configs/ocr_hrformer-b_cityscapes.py mim train mmseg configs/overlays/amp_bf16.py
_base_ = '{{$CONFIG:../ocr_hrformer-b_cityscapes.py}}'
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
