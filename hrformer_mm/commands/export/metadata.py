"""Metadata of exported files, which describe the inputs and outputs to the runtime."""

from typing import Any

import numpy as np
from mmengine.config import Config

from ...runtime.metadata import VERSION
from ...runtime.preprocessing import pad, run_steps
from ..model import TASKS, dataset_meta, describe_classes
from .pipeline import describe_pipeline, plain


def metadata(cfg: Config, model: Any) -> dict[str, Any]:
    """Describe the pre- and post-processing of a model in plain types.

    Args:
        cfg (Config): The config of the model.
        model (nn.Module): The model as its library builds it, with the `dataset_meta` of its checkpoint.

    Returns:
        dict: `version`, `task`, `config`; `load`, how pictures are read; `steps` of the test pipeline; `channels`,
        `mean`, `std`, `pad`, and `rgb`, whether the file takes RGB instead of BGR; `size`, the height and width, or
        None if they depend on the picture; `precision` of the engine; and for each task

        - segmentation: `classes`, `palette`, `align_corners`, `threshold` of a single sigmoid output, `window`;
        - classification: `classes`, `multi_label`;
        - pose: `keypoints`, `keypoint_colors`, `skeleton`, `skeleton_colors`, `box_scale`, `udp`, `codec`, `flip`.

    Raises:
        ValueError: If the runtime does not support a part of the pre- or post-processing, which the message names.
    """
    steps, crop, load = describe_pipeline(cfg)
    channels = cfg.model.backbone.get('in_channels', 3)
    result = dict(
        version=VERSION,
        task=TASKS[cfg.default_scope],
        config=str(cfg.filename),
        precision='f32',
        load=load,
        channels=channels,
        steps=steps,
        **_preprocessor(model.data_preprocessor, channels),
    )
    if cfg.default_scope == 'mmpose':
        result.update(_pose(cfg, model, crop))
    elif cfg.default_scope == 'mmseg':
        result.update(_segmentation(cfg, model))
        window = result['window']
        # If the size depends on the picture, the size of the training crops is the next best.
        result['size'] = window['size'] if window else _size(result) or plain(model.data_preprocessor.size)
    else:
        result.update(_classification(cfg, model), size=_size(result))
    return result


def _preprocessor(module: Any, count: int) -> dict[str, Any]:
    name = type(module).__name__
    reverse = {
        'SegDataPreProcessor': 'channel_conversion',
        'PoseDataPreprocessor': '_channel_conversion',
        'ClsDataPreprocessor': 'to_rgb',
    }.get(name)
    if reverse is None:
        raise ValueError(f'data_preprocessor is a {name}, which export does not support: use the one of the library')
    mean, std = ([value] * count for value in (0.0, 1.0))
    if module._enable_normalize:
        mean, std = (plain(values.flatten()) for values in (module.mean, module.std))
    if name == 'SegDataPreProcessor':
        test: Any = module.test_cfg or {}
        size = test.get('size')
        pad = dict(
            size=plain(size)[::-1] if size else None, size_divisor=test.get('size_divisor'), pad_val=module.pad_val
        )
    else:
        pad = dict(size_divisor=module.pad_size_divisor, pad_val=plain(module.pad_value))
    return dict(mean=mean, std=std, rgb=bool(getattr(module, reverse)), pad=pad)


def _size(about: dict[str, Any]) -> list[int] | None:
    """Return the height and width after the pipeline if they are the same for all pictures, else None."""
    sizes = [
        pad(run_steps(np.zeros((*shape, about['channels']), np.uint8), about['steps']), **about['pad']).shape[:2]
        for shape in ((600, 800), (810, 590))
    ]
    return list(sizes[0]) if sizes[0] == sizes[1] else None


def _segmentation(cfg: Config, model: Any) -> dict[str, Any]:
    single = model.out_channels == 1  # one sigmoid output: background and foreground
    classes, palette = describe_classes(cfg, model, 2 if single else model.num_classes)
    window = None
    if model.test_cfg.get('mode', 'whole') == 'slide':
        window = dict(size=plain(model.test_cfg.crop_size), stride=plain(model.test_cfg.stride))
    return dict(
        classes=classes,
        palette=palette,
        align_corners=bool(model.align_corners),
        threshold=float(model.decode_head.threshold) if single else None,
        window=window,
    )


def _classification(cfg: Config, model: Any) -> dict[str, Any]:
    from mmpretrain.models.heads import ClsHead, MultiLabelClsHead

    head = model.head
    if not isinstance(head, (ClsHead, MultiLabelClsHead)):
        raise ValueError(
            f'model.head is a {type(head).__name__}, which export does not support: use ClsHead or MultiLabelClsHead'
        )
    classes, _ = describe_classes(cfg, model, head.num_classes)
    return dict(classes=classes, multi_label=isinstance(head, MultiLabelClsHead))


def _pose(cfg: Config, model: Any, crop: dict[str, Any]) -> dict[str, Any]:
    from mmpose.codecs import MSRAHeatmap, UDPHeatmap

    codec = model.head.decoder
    keys = ['input_size', 'heatmap_size', 'blur_kernel_size']
    if type(codec) is MSRAHeatmap:
        keys += ['unbiased', 'sigma']
    elif type(codec) is UDPHeatmap:
        keys += ['heatmap_type', 'radius_factor', 'sigma']
    else:
        raise ValueError(
            f'model.head.decoder is {type(codec).__name__}, which export does not support: use MSRA- or UDPHeatmap'
        )
    if list(codec.input_size[::-1]) != crop['size']:
        raise ValueError(
            f'model.head.decoder.input_size is {tuple(codec.input_size)}, but that of TopdownAffine is '
            f'{tuple(crop["size"][::-1])}: give both the same'
        )
    if model.test_cfg.get('output_keypoint_indices'):
        raise ValueError('model.test_cfg.output_keypoint_indices is set, which export does not support: remove it')
    meta = next((meta for meta in (model.dataset_meta, dataset_meta(cfg)) if meta.get('keypoint_id2name')), None)
    if meta is None:
        raise ValueError(
            'neither the checkpoint nor the data set of the config names the keypoints: give the data set a metainfo'
        )
    names = meta['keypoint_id2name']
    test = model.test_cfg
    return dict(
        keypoints=[names[i] for i in sorted(names)],
        keypoint_colors=plain(meta['keypoint_colors']),
        skeleton=plain(meta['skeleton_links']),
        skeleton_colors=plain(meta['skeleton_link_colors']),
        codec=dict(type=type(codec).__name__, **{key: plain(getattr(codec, key)) for key in keys}),
        **crop,
        flip=dict(
            test=bool(test.get('flip_test', False)),
            mode=test.get('flip_mode', 'heatmap'),
            shift=bool(test.get('shift_heatmap', False)),
            indices=plain(meta['flip_indices']),
        ),
    )
