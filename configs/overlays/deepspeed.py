# The same by DeepSpeed (pip install deepspeed), in bfloat16:
#     CONFIG=$PWD/configs/ocr_hrformer-b_cityscapes.py mim train mmseg configs/overlays/deepspeed.py --launcher pytorch --gpus 8
_base_ = '{{$CONFIG:../ocr_hrformer-b_cityscapes.py}}'
runner_type = 'FlexibleRunner'
strategy = dict(
    type='DeepSpeedStrategy',
    bf16=dict(enabled=True),
    zero_optimization=dict(stage=2, overlap_comm=True, contiguous_gradients=True))
optim_wrapper = dict(type='DeepSpeedOptimWrapper')
