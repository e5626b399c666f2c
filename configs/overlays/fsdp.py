# Shard parameters, gradients and optimizer states with mmengine's strategy for PyTorch's FSDP. Each unit of sharding
# has at least a million parameters:
#     CONFIG=$PWD/configs/ocr_hrformer-b_cityscapes.py \
#         mim train mmseg configs/overlays/fsdp.py --launcher pytorch --gpus 8
_base_ = '{{$CONFIG:../ocr_hrformer-b_cityscapes.py}}'
runner_type = 'FlexibleRunner'
strategy = dict(
    type='FSDPStrategy',
    model_wrapper=dict(
        auto_wrap_policy=dict(type='size_based_auto_wrap_policy', min_num_params=1000000), use_orig_params=True
    ),
)
