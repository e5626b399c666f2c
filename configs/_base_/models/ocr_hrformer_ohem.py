# The authors' loss on COCO-Stuff and ADE20K: the main logits learn from hard examples alone.
_base_ = './ocr_hrformer.py'
model = dict(decode_head=dict(sampler=dict(type='OHEMPixelSampler', thresh=0.9, min_kept=100000)))
