# The authors' loss on Cityscapes: class weights for both losses, and only hard examples for the main loss.
_base_ = './ocr_hrformer.py'
class_weight = [
    0.8373,
    0.9180,
    0.8660,
    1.0345,
    1.0166,
    0.9969,
    0.9754,
    1.0489,
    0.8786,
    1.0023,
    0.9539,
    0.9843,
    1.1116,
    0.9037,
    1.0865,
    1.0955,
    1.0865,
    1.1529,
    1.0507,
]
model = dict(
    decode_head=dict(
        sampler=dict(type='OHEMPixelSampler', thresh=0.9, min_kept=100000),
        loss_decode=dict(class_weight=class_weight),
        loss_auxiliary=dict(class_weight=class_weight),
    )
)
