# Shard optimizer states and gradients with DeepSpeed (pip install deepspeed) in bfloat16. The engine of DeepSpeed clips
# gradients if the config does so:
#     CONFIG=$PWD/configs/ocr_hrformer-b_cityscapes.py \
#         mim train mmseg configs/overlays/deepspeed.py --launcher pytorch --gpus 8
_base_ = '{{$CONFIG:../ocr_hrformer-b_cityscapes.py}}'
runner_type = 'FlexibleRunner'
strategy = dict(
    type='DeepSpeedStrategy',
    bf16=dict(enabled=True),
    inputs_to_half=['inputs'],  # the weights are in bfloat16
    gradient_clipping=_base_.optim_wrapper.get('clip_grad', {}).get('max_norm', 0.0),
    zero_optimization=dict(stage=2, overlap_comm=True, contiguous_gradients=True),
)
optim_wrapper = dict(
    _delete_=True,
    **{
        **{key: value for key, value in _base_.optim_wrapper.items() if key != 'clip_grad'},
        'type': 'DeepSpeedOptimWrapper',
    },
)
