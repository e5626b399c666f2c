"""Checks that the metainfo, the annotation file, the codec and the head have the same keypoints."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from .coco import METAINFO, entries
from .fields import show
from .problem import Problem
from .settings import configs, type_name

_HEAD_KEYS = ('out_channels', 'num_joints', 'num_keypoints')
_OTHER_HEADS = ('MotionRegressionHead', 'TrajectoryRegressionHead')  # their channels are not keypoints
_REQUIRED = ('dataset_name', 'keypoint_info', 'skeleton_info', 'joint_weights', 'sigmas')


def raw_metainfo_problem(metainfo: Mapping[str, Any]) -> str | None:
    """Return the reason why mmpose cannot read a `dataset_info`, with a remedy, or None if no reason is found."""
    missing = [key for key in _REQUIRED if key not in metainfo]
    if missing:
        return f'it lacks {", ".join(missing)}. Add the missing keys; sigmas may be [] if no metric computes OKS'
    for key in ('keypoint_info', 'skeleton_info'):
        if not isinstance(metainfo[key], Mapping):
            return f'{key} is a {type(metainfo[key]).__name__}. Make it a dict with the keys 0, 1, …'
    names = []
    for number, point in metainfo['keypoint_info'].items():
        if not isinstance(point, Mapping) or not isinstance(point.get('name'), str):
            return f'keypoint_info[{number!r}] is {point!r}. Make it a dict with the name of the keypoint'
        if point['name'] in names:
            return f'keypoint_info[{number!r}] has the name {point["name"]!r} of another one. Give it a unique name'
        names.append(point['name'])
    for number, point in metainfo['keypoint_info'].items():
        if point.get('swap', '') not in ('', *names):
            return (
                f'keypoint_info[{number!r}].swap is {point["swap"]!r}, which is not a keypoint. Write the name of the '
                "keypoint on the other side, or ''"
            )
    for number, link in metainfo['skeleton_info'].items():
        ends = link.get('link') if isinstance(link, Mapping) else None
        if not isinstance(ends, (list, tuple)) or len(ends) != 2 or not set(ends) <= set(names):
            return f'skeleton_info[{number!r}].link is {ends!r}. Write the names of two keypoints of keypoint_info'
    for key in ('joint_weights', 'sigmas'):
        try:
            np.array(metainfo[key], dtype=np.float32)
        except (TypeError, ValueError):
            return f'{key} is {metainfo[key]!r}. Write one number for each keypoint'
    return None


def metainfo_problems(dataset: BaseDataset) -> Iterator[Problem]:
    """Find faults of the metainfo that mmpose accepts silently: differing numbers, and swaps that are not mutual."""
    meta = dataset.metainfo
    names = meta.get('keypoint_id2name')
    if not names:
        return
    count, where = len(names), f'metainfo of {type(dataset).__name__}'
    if list(names) != list(range(count)):  # mmpose flips keypoints in the order of the dict
        yield Problem(
            'keypoint ids',
            where,
            f'has the keypoint_info ids {show(list(names))}',
            f'Number the {count} keypoints from 0 to {count - 1}, in order. A dumped config sorts 10 before 2: keep '
            "the metainfo in a separate file, metainfo=dict(from_file='my_keypoints.py')",
        )
        return
    if len(meta['keypoint_name2id']) != count:
        twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
        yield Problem(
            'keypoint names',
            where,
            f'has two keypoints with the name {twice[0]!r} in keypoint_info',
            'Give each keypoint a unique name',
        )
        return
    for number, other in enumerate(meta['flip_indices']):
        back = meta['flip_indices'][other]
        if back != number:
            yield Problem(
                'keypoint swap',
                where,
                f'swaps {names[number]!r} with {names[other]!r}, but {names[other]!r} with {names[back]!r}: flipped '
                'images would have wrong keypoints',
                f'Set swap={names[number]!r} in keypoint_info of {names[other]!r}',
            )
    steps = getattr(dataset.pipeline, 'transforms', ())
    weighted = any(getattr(step, 'use_dataset_keypoint_weights', False) for step in steps)
    for key, values in (('sigmas', meta['sigmas']), ('joint_weights', meta['dataset_keypoint_weights'])):
        values = np.asarray(values)
        lowest = 'above 0' if key == 'sigmas' else 'of at least 0'
        valid = np.isfinite(values) & (values > 0 if key == 'sigmas' else values >= 0)
        if key == 'sigmas' and not values.size:  # mmpose accepts [] if no metric computes OKS
            continue
        if values.shape != (count,):
            kind = key if key == 'sigmas' or weighted else f'unused {key}'
            what = f'has {values.size} {key}, but {count} keypoints in keypoint_info'
            yield Problem(kind, where, what, f'Write {count} {key}, one for each keypoint')
        elif not valid.all():
            at = int(valid.argmin())
            yield Problem(key, where, f'has {values[at]:g} in {key}[{at}]', f'Write finite numbers {lowest}')


def number_of_keypoints(dataset: BaseDataset) -> int | None:
    """Return the number of keypoints that the pipeline gives to the model, or None if the data set has no keypoints."""
    for step in reversed(getattr(dataset.pipeline, 'transforms', ())):
        if type(step).__name__ == 'KeypointConverter':
            return step.num_keypoints
    return dataset.metainfo.get('num_keypoints')


def head_problems(model: Mapping[str, Any], dataset: BaseDataset) -> Iterator[Problem]:
    """Find a head or codec whose number of keypoints differs from that of the data set."""
    count, head = number_of_keypoints(dataset), model.get('head')
    if count is None or not isinstance(head, Mapping):
        return
    key = 'model.head'
    if isinstance(head.get('pose_cfg'), Mapping):  # of VisPredictHead
        head, key = head['pose_cfg'], f'{key}.pose_cfg'
    codecs = [codec for _, codec in configs(head.get('decoder'), key)]
    channels = count * (
        3 if any(codec.get('heatmap_type') == 'combined' for codec in codecs) else 1
    )  # UDP adds two offsets
    found = (
        []
        if type_name(head) in _OTHER_HEADS
        else [(f'{key}.{name}', head[name], channels) for name in _HEAD_KEYS if isinstance(head.get(name), int)]
    )
    for codec in codecs:
        if isinstance(codec.get('num_keypoints'), int):
            found.append((f'{key}.decoder.num_keypoints', codec['num_keypoints'], count))
        if codec.get('decode_keypoint_order'):
            found.append((f'{key}.decoder.decode_keypoint_order', len(codec['decode_keypoint_order']), count))
    for name, value, expected in found:
        if value != expected:
            parts = ', of 3 channels each (heatmap_type)' if expected > count else ''
            yield Problem(
                'number of keypoints',
                name,
                f'is {value}, but the keypoints of the metainfo of {type(dataset).__name__} are {count}{parts}',
                f'Set {name} to {expected}, or {METAINFO}',
            )


def keypoints_in_file(dataset: BaseDataset) -> int | None:
    """Return the number of keypoints of each annotation if the data set reads only the field `keypoints`, else None."""
    reader = getattr(type(dataset), 'parse_data_info', None)
    plain = getattr(reader, '__qualname__', '').startswith('BaseCocoStyleDataset.')
    return dataset.metainfo.get('num_keypoints') if plain else None


def count_problems(content: Mapping[str, Any], dataset: BaseDataset) -> Iterator[Problem]:
    """Find annotations whose number or order of keypoints differs from that of the metainfo."""
    expected, names = dataset.metainfo.get('num_keypoints'), dataset.metainfo.get('keypoint_id2name')
    if not expected or not names:
        return
    owner = type(dataset).__name__
    if keypoints_in_file(dataset) is None and len(dataset) and not getattr(dataset, 'bbox_file', None):
        found = np.asarray(dataset.get_data_info(0).get('keypoints', ())).shape[-2:-1]
        if found and found[0] != expected:
            what = f'has {found[0]} keypoints in an annotation, but the metainfo of {owner} has {expected}'
            yield Problem('number of keypoints', str(dataset.ann_file), what, f'Correct it, or {METAINFO}')
    for category in entries(content, 'categories'):
        listed, wanted = category.get('keypoints'), [names[i] for i in sorted(names)]
        if isinstance(listed, list) and listed != wanted and sorted(map(str, listed)) == sorted(wanted):
            at = next(i for i, name in names.items() if listed[i] != name)
            yield Problem(
                'keypoint order',
                str(dataset.ann_file),
                f'has {listed[at]!r} as keypoint {at}, but the metainfo of {owner} has {names[at]!r}',
                'List the keypoints of the metainfo in the order of the annotations',
            )
