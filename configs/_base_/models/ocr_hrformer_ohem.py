# The authors' loss on COCO-Stuff and ADE20K: only hard examples for the main loss.
_base_ = './ocr_hrformer.py'
model = dict(decode_head=dict(sampler=dict(type='OHEMPixelSampler', thresh=0.9, min_kept=100000)))
