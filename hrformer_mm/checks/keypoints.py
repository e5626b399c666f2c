"""Numbers of keypoints: those of the metainfo, the annotation file, the codec and the head must agree."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from .coco import entries
from .fields import show
from .problem import Problem
from .settings import type_name

_HEAD_KEYS = ('out_channels', 'num_joints', 'num_keypoints')
# Their channels are no keypoints.
_OTHER_HEADS = ('MotionRegressionHead', 'TrajectoryRegressionHead')
_REQUIRED = ('dataset_name', 'keypoint_info', 'skeleton_info', 'joint_weights', 'sigmas')


def raw_metainfo_problem(metainfo: Mapping[str, Any]) -> str | None:
    """Why mmpose cannot read a `dataset_info`, with a remedy; None if no reason is found."""
    missing = [key for key in _REQUIRED if key not in metainfo]
    if missing:
        return f'it lacks {", ".join(missing)}. Add what is missing; sigmas may be [] if no metric computes OKS'
    for key in ('keypoint_info', 'skeleton_info'):
        if not isinstance(metainfo[key], Mapping):
            return f'{key} is a {type(metainfo[key]).__name__}. Make it a dict: 0, 1, … to the entry'
    names = []
    for number, point in metainfo['keypoint_info'].items():
        if not isinstance(point, Mapping) or not isinstance(point.get('name'), str):
            return f'keypoint_info[{number!r}] is {point!r}. Make it a dict with the name of the keypoint'
        if point['name'] in names:
            return f'keypoint_info[{number!r}] has the name {point["name"]!r} of another one. Give it a name of its own'
        names.append(point['name'])
    for number, point in metainfo['keypoint_info'].items():
        if point.get('swap', '') not in ('', *names):
            return (
                f'keypoint_info[{number!r}].swap is {point["swap"]!r}, which is no keypoint. Write the name of the '
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
    """What mmpose takes from the metainfo silently: numbers that differ, and swaps that are not mutual."""
    meta = dataset.metainfo
    names = meta.get('keypoint_id2name')
    if not names:
        return
    count, where = len(names), f'metainfo of {type(dataset).__name__}'
    if list(names) != list(range(count)):  # mmpose flips images by the order of the dict
        yield Problem(
            'keypoint ids',
            where,
            f'has the keypoint_info ids {show(list(names))}',
            f'Number the {count} keypoints from 0 to {count - 1}, in order. A config that is dumped sorts 10 '
            "before 2: keep the metainfo in a file of its own, metainfo=dict(from_file='my_keypoints.py')",
        )
        return
    if len(meta['keypoint_name2id']) != count:
        twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
        yield Problem(
            'keypoint names',
            where,
            f'has the name {twice[0]!r} of two keypoints in keypoint_info',
            'Give each keypoint a name of its own',
        )
        return
    for number, other in enumerate(meta['flip_indices']):
        back = meta['flip_indices'][other]
        if back != number:
            yield Problem(
                'keypoint swap',
                where,
                f'swaps {names[number]!r} with {names[other]!r}, but '
                f'{names[other]!r} with {names[back]!r}: flipped images would have wrong keypoints',
                f'Set swap={names[number]!r} in keypoint_info of {names[other]!r}',
            )
    for key, parsed, lowest in (('sigmas', 'sigmas', 'above 0'), ('joint_weights', 'dataset_keypoint_weights', '')):
        values = np.asarray(meta[parsed])
        if values.shape != (count,) and (values.size or key != 'sigmas'):  # [] is mmpose's way to say: no OKS
            used = key == 'sigmas' or any(
                getattr(step, 'use_dataset_keypoint_weights', False)
                for step in getattr(dataset.pipeline, 'transforms', ())
            )
            yield Problem(
                key if used else f'unused {key}',
                where,
                f'has {values.size} {key}, but {count} keypoints in keypoint_info',
                f'Write {count} {key}, one for each keypoint',
            )
        elif not (np.isfinite(values).all() and (values > 0 if lowest else values >= 0).all()):
            at = int(np.argmin(np.isfinite(values) & (values > 0 if lowest else values >= 0)))
            yield Problem(
                key, where, f'has {values[at]:g} in {key}[{at}]', f'Write finite numbers {lowest or "of 0 or more"}'
            )


def number_of_keypoints(dataset: BaseDataset) -> int | None:
    """The number of keypoints that the pipeline of a data set gives to the model; None if it is not one of poses."""
    for step in reversed(getattr(dataset.pipeline, 'transforms', ())):
        if type(step).__name__ == 'KeypointConverter':
            return step.num_keypoints
    return dataset.metainfo.get('num_keypoints')


def head_problems(model: Mapping[str, Any], dataset: BaseDataset) -> Iterator[Problem]:
    """A head or codec for another number of keypoints than the data set's."""
    count, head = number_of_keypoints(dataset), model.get('head')
    if count is None or not isinstance(head, Mapping):
        return
    key = 'model.head'
    if isinstance(head.get('pose_cfg'), Mapping):  # of VisPredictHead
        head, key = head['pose_cfg'], f'{key}.pose_cfg'
    codecs = head.get('decoder')
    codecs = [codec for codec in (codecs if isinstance(codecs, (list, tuple)) else [codecs]) if codec]
    channels = count * (3 if any(codec.get('heatmap_type') == 'combined' for codec in codecs) else 1)  # UDP's offsets
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
                f'Set {name} to {expected}, or describe the '
                "keypoints that there are: metainfo=dict(from_file='my_keypoints.py') of the data set",
            )


def keypoints_in_file(dataset: BaseDataset) -> int | None:
    """The number of keypoints in `keypoints` of each annotation, for data sets that read no other field."""
    reader = getattr(type(dataset), 'parse_data_info', None)
    plain = getattr(reader, '__qualname__', '').startswith('BaseCocoStyleDataset.')
    return dataset.metainfo.get('num_keypoints') if plain else None


def count_problems(content: Mapping[str, Any], dataset: BaseDataset) -> Iterator[Problem]:
    """A data set that was read with another number, or another order, of keypoints than its metainfo has."""
    expected, names = dataset.metainfo.get('num_keypoints'), dataset.metainfo.get('keypoint_id2name')
    if not expected or not names:
        return
    if keypoints_in_file(dataset) is None and len(dataset) and not getattr(dataset, 'bbox_file', None):
        found = np.asarray(dataset.get_data_info(0).get('keypoints', ())).shape[-2:-1]
        if found and found[0] != expected:
            yield Problem(
                'number of keypoints',
                str(dataset.ann_file),
                f'has {found[0]} keypoints in an annotation, '
                f'but the metainfo of {type(dataset).__name__} has {expected}',
                "Describe the keypoints that there are: metainfo=dict(from_file='my_keypoints.py')",
            )
    for category in entries(content, 'categories'):
        listed, wanted = category.get('keypoints'), [names[i] for i in sorted(names)]
        if isinstance(listed, list) and listed != wanted and sorted(map(str, listed)) == sorted(wanted):
            at = next(i for i, name in names.items() if listed[i] != name)
            yield Problem(
                'keypoint order',
                str(dataset.ann_file),
                f'has keypoint {at} {listed[at]!r}, but the '
                f'metainfo of {type(dataset).__name__} has {names[at]!r} there',
                'List the keypoints of the metainfo in the order of the annotations',
            )
