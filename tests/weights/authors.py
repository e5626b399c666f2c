"""The authors' layouts, as their code declares them."""

import re

# Our names and the authors', head by head.
HEADS = {
    'backbone': {},
    'pose': {'head.final_layer.': 'keypoint_head.final_layer.'},
    'classification': {
        'neck.0.increase.0.': 'incre_modules.0.0.',
        'neck.0.increase.3.': 'incre_modules.3.0.',
        'neck.0.downsample.2.': 'downsamp_modules.2.',
        'neck.0.final.1.': 'final_layer.1.',
        'head.fc.': 'classifier.',
    },
    'segmentation': {
        'decode_head.pixels.0.': 'conv3x3.0.',
        'decode_head.pixels.1.': 'conv3x3.1.0.',
        'decode_head.auxiliary.0.': 'aux_head.0.',
        'decode_head.auxiliary.1.': 'aux_head.1.0.',
        'decode_head.auxiliary.3.': 'aux_head.2.',
        'decode_head.conv_seg.': 'cls_head.',
        'decode_head.fuse.0.': 'ocr_distri_head.conv_bn_dropout.0.',
        'decode_head.fuse.1.': 'ocr_distri_head.conv_bn_dropout.1.0.',
        **{
            f'decode_head.attention.{ours}.{i}.': f'ocr_distri_head.object_context_block.{theirs}.{j}.'
            for ours, theirs in (('query', 'f_pixel'), ('key', 'f_object'))
            for i, j in ((0, '0'), (1, '1.0'), (3, '2'), (4, '3.0'))
        },
        **{
            f'decode_head.attention.{ours}.{i}.': f'ocr_distri_head.object_context_block.{theirs}.{j}.'
            for ours, theirs in (('value', 'f_down'), ('project', 'f_up'))
            for i, j in ((0, '0'), (1, '1.0'))
        },
    },
}


def authors_names(state):
    """The authors' file: queries, keys and values apart, the FFN under `mlp`, no index of relative positions."""
    theirs = {}
    for name, value in state.items():
        name = re.sub(r'\.ffn\.', '.mlp.', re.sub(r'\.attn\.attn\.proj\.', '.attn.attn.out_proj.', name))
        if '.attn.attn.qkv.' in name:
            for part, third in zip('qkv', value.chunk(3)):
                theirs[name.replace('.qkv.', f'.{part}_proj.')] = third
        elif not name.endswith('relative_position_index'):
            theirs[name] = value
    return theirs
