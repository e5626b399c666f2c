"""Metrics that read an annotation file of their own: it must be the data set's, and have what they need."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from mmengine.dataset import BaseDataset

from .coco import broken, coco_problems, entries, images_by_id, read_coco
from .fields import are_numbers, is_number, lacking, show, where
from .files import is_local
from .keypoints import keypoints_in_file
from .problem import Problem
from .settings import type_name

_LARGEST, _SMALLEST = 2.0, 1e-3  # of an area, in areas of the box: COCO's are those of the person in it
_SHOWN = 3


@dataclass
class Metric:
    """A metric of a config: its key there, its class, its settings, and the content of its file where it is read."""

    key: str
    kind: str
    settings: Mapping[str, Any]
    content: dict[str, Any] | None = None

    @property
    def path(self) -> str | None:
        return self.settings.get('ann_file')

    @property
    def needs_labels(self) -> bool:
        return not self.settings.get('format_only', False)


def find_metrics(evaluator: Any, key: str) -> Iterator[Metric]:
    """The metrics of an evaluator, built or a config, that read COCO's format; inside of others too."""
    if isinstance(evaluator, (list, tuple)):
        for index, metric in enumerate(evaluator):
            yield from find_metrics(metric, f'{key}[{index}]' if len(evaluator) > 1 else key)
        return
    settings = evaluator if isinstance(evaluator, Mapping) else getattr(evaluator, '__dict__', {})
    kind = type_name(evaluator) if isinstance(evaluator, Mapping) else type(evaluator).__name__
    inside = settings.get('metrics') or settings.get('metric')
    if isinstance(inside, Mapping) and 'type' not in inside:  # of KeypointPartitionMetric, by partition
        inside = list(inside.values())[:1]
    if isinstance(inside, (Mapping, list, tuple)) and not _are_names(inside):
        name = 'metrics' if 'metrics' in settings else 'metric'
        yield from find_metrics(inside, key if not isinstance(evaluator, Mapping) else f'{key}.{name}')
    elif 'Coco' in kind or settings.get('ann_file'):
        api = settings.get('coco') or settings.get('_coco_api')
        yield Metric(key, kind, settings, getattr(api, 'dataset', None))


def metric_problems(metric: Metric, datasets: Sequence[BaseDataset]) -> Iterator[Problem]:
    """A metric's file that is missing, not the one of the data sets, or without what the metric needs.

    Args:
        metric (Metric): One of :func:`find_metrics`.
        datasets (Sequence[BaseDataset]): The data sets that are evaluated together.
    """
    built_by_mmdet = '_coco_api' in metric.settings  # it does not keep its path, and without one it reads no file
    if not datasets or built_by_mmdet and metric.content is None:
        return
    own = (
        metric.path is None
        and not built_by_mmdet
        or any(is_same(metric.path, dataset.ann_file) for dataset in datasets)
    )
    path, content = str(metric.path or (datasets[0].ann_file if own else f'{metric.key}.ann_file')), metric.content
    if content is None:
        if not own and is_local(path) and not Path(path).is_file():
            yield Problem(
                'evaluator file',
                path,
                f'({metric.key}.ann_file) is missing: there is no such file',
                f'Set {metric.key}.ann_file to the file of the data set, {datasets[0].ann_file}',
            )
            return
        content = read_coco(path)
        if content is None:
            reason = None if own else broken(path)
            if reason:
                yield replace(reason, kind='evaluator file', what=f'({metric.key}.ann_file) {reason.what}')
            return
    if not own:
        yield from coco_problems(content, path, keypoints_in_file(datasets[0]))
        yield from _other_file(metric, content, path, datasets)
    if not metric.needs_labels:
        return
    if not entries(content, 'annotations'):
        yield Problem(
            'no annotations to evaluate',
            path,
            f'has no annotations, but {metric.key} ({metric.kind}) compares with them',
            f'Take a file with annotations, or set {metric.key}.format_only=True and '
            f"{metric.key}.outfile_prefix='results' to write the results alone",
        )
        return
    poses = next((dataset for dataset in datasets if dataset.metainfo.get('num_keypoints')), None)
    if 'Coco' in metric.kind and 'Panoptic' not in metric.kind or 'PoseTrack' in metric.kind:
        if metric.settings.get('use_area', True):
            yield from area_problems(content, path, metric.key if poses is not None else None)
        if poses is not None:
            yield from _sigma_problems(metric, poses)
        else:  # pycocotools reads it of each
            problem = lacking(content, path, 'iscrowd')
            if problem:
                yield replace(problem, kind='no iscrowd')


def area_problems(content: Mapping[str, Any], path: str, key: str | None) -> Iterator[Problem]:
    """Areas that are missing, not above 0, or of another unit than the box.

    Args:
        content (dict): The annotation file's.
        path (str): Its path.
        key (str, optional): The key of a metric of mmpose, which can do without. Default: None.
    """
    remedy = "Write the box's area (width times height), or the person's in it" if key else "Write the box's area"
    remedy += f'; or set {key}.use_area=False' if key else ''
    large, small, counted = [], [], 0
    for index, annotation in enumerate(content['annotations']):
        if not isinstance(annotation, dict):
            continue
        area, box, seen = annotation.get('area'), annotation.get('bbox'), annotation.get('num_keypoints', 1)
        if 'area' not in annotation:
            yield Problem('no area', path, f'has {where("annotations", index, annotation)} without area', remedy)
        elif not is_number(area):
            yield Problem(
                'bad area', path, f'has {where("annotations", index, annotation)} with area {show(area)}', remedy
            )
        elif annotation.get('iscrowd') or not seen or not are_numbers(box) or len(box) != 4 or min(box[2:]) <= 0:
            continue
        elif area <= 0:
            yield Problem(
                'bad area', path, f'has {where("annotations", index, annotation)} with area {show(area)}', remedy
            )
        else:
            counted += 1
            share = area / (box[2] * box[3])
            if share > _LARGEST:
                large.append((index, annotation))
            elif share < _SMALLEST:
                small.append((index, annotation))
    most = 2 * len(large + small) > counted
    for index, annotation in large + small if most else large:
        box = annotation['bbox']
        yield Problem(
            'area of another unit' if most else 'odd area',
            path,
            f'has {where("annotations", index, annotation)} with area {show(annotation["area"])}, but bbox '
            f'{box} has {box[2] * box[3]:g} square pixels',
            remedy,
        )


def is_same(one: Any, other: Any) -> bool:
    """Whether two paths name one file."""
    if not one or not other:
        return False
    return (
        str(one) == str(other) or is_local(one) and is_local(other) and (Path(one).resolve() == Path(other).resolve())
    )


def _other_file(
    metric: Metric, content: dict[str, Any], path: str, datasets: Sequence[BaseDataset]
) -> Iterator[Problem]:
    """Problems of a metric's file that is not a data set's; none if it agrees with one of them, or with all of them."""
    candidates = [(dataset.ann_file, read_coco(dataset.ann_file), dataset) for dataset in datasets]
    candidates = [candidate for candidate in candidates if candidate[1]]
    if len(candidates) > 1:
        merged = {
            name: [entry for _, found, _ in candidates for entry in entries(found, name)]
            for name in ('images', 'annotations')
        }
        candidates.append((', '.join(path for path, _, _ in candidates), merged, candidates[0][2]))
    found: list[Problem] = []
    for name, ours, dataset in candidates:
        found = list(_differences(metric, content, path, name, ours, dataset))
        if not found:
            return
    yield from found


def _differences(
    metric: Metric, theirs: dict[str, Any], path: str, own_path: str, ours: dict[str, Any], dataset: BaseDataset
) -> Iterator[Problem]:
    own, other = images_by_id(ours), images_by_id(theirs)
    own_boxes, other_boxes = _boxes(ours), _boxes(theirs)
    whole = dataset._indices is None and getattr(dataset, 'sample_interval', 1) == 1
    remedy = f'Set {metric.key}.ann_file to {own_path}'

    def problem(kind: str, what: str) -> Problem:
        return Problem(
            kind, path, f'({metric.key}.ann_file) is not the file of the data set, {own_path}: {what}', remedy
        )

    predicted = (
        own_boxes
        if own_boxes and getattr(dataset, 'data_mode', '') == 'topdown' and not getattr(dataset, 'bbox_file', None)
        else own
    )
    lacking = [number for number in predicted if number not in other]
    if lacking and whole:
        yield problem('other images', f'it lacks {len(lacking)} of its images, with id {_first(lacking)}')
        return
    shared = [number for number in own if number in other]
    different = [number for number in shared if _differ(own[number], other[number])]
    if different:
        one, two = own[different[0]], other[different[0]]
        yield problem(
            'other images',
            f'{len(different)} image ids are of other pictures; id '
            f'{show(different[0])} is {_picture(two)} there and {_picture(one)} in the data set',
        )
        return
    more = [number for number in other_boxes if number not in own]
    if more and whole:
        yield problem(
            'other images',
            f'it has {len(more)} annotated images more, with id {_first(more)}, which would count as missed',
        )
    if not own_boxes or not other_boxes:  # e.g. of a test without labels
        return
    total = sum(len(other_boxes.get(number, ())) for number in shared)
    count = sum(len(own_boxes.get(number, ())) for number in shared)
    same = sum(len(other_boxes[number] & own_boxes.get(number, set())) for number in shared if number in other_boxes)
    if 2 * same < total:
        yield problem('other images', f'of its {total} boxes only {same} are those of the data set')
    elif total != count:
        yield problem(
            'other number of annotations', f'it has {total} annotations of these images, and the data set has {count}'
        )


def _boxes(content: Mapping[str, Any]) -> dict[Any, set[tuple]]:
    boxes: dict[Any, set[tuple]] = {}
    for annotation in entries(content, 'annotations'):
        if are_numbers(annotation.get('bbox')) and isinstance(annotation.get('image_id'), (int, float, str)):
            boxes.setdefault(annotation['image_id'], set()).add(tuple(annotation['bbox']))
    return boxes


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two images of one id differ in their names, but for folder and suffix, or in their sizes."""
    names = [PurePath(image['file_name']).stem for image in (one, other) if isinstance(image.get('file_name'), str)]
    sizes = [(image.get('width'), image.get('height')) for image in (one, other)]
    return len(set(names)) > 1 or sizes[0] != sizes[1] and not any(None in size for size in sizes)


def _picture(image: Mapping[str, Any]) -> str:
    return f'{image.get("file_name")} of {image.get("width")}x{image.get("height")}'


def _sigma_problems(metric: Metric, dataset: BaseDataset) -> Iterator[Problem]:
    """OKS needs one sigma for each keypoint."""
    if metric.settings.get('gt_converter') or metric.settings.get('pred_converter'):
        return
    count, sigmas = dataset.metainfo['num_keypoints'], len(dataset.metainfo['sigmas'])
    if not sigmas:
        yield Problem(
            'sigmas',
            f'metainfo of {type(dataset).__name__}',
            f'has 0 sigmas for {count} keypoints, but {metric.key} ({metric.kind}) needs them',
            f"Write {count} sigmas, for example 0.05 each, or take a metric without them: dict(type='PCKAccuracy')",
        )


def _first(numbers: list) -> str:
    return ', '.join(map(show, numbers[:_SHOWN])) + (', …' if len(numbers) > _SHOWN else '')


def _are_names(inside: Any) -> bool:
    """Whether these are the names of scores, as in mmdet's `metric=['bbox', 'segm']`."""
    return isinstance(inside, (list, tuple)) and all(isinstance(name, str) for name in inside)
