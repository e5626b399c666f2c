"""Checks of the annotation files of metrics, which must match the data set and have the fields that a metric needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from mmengine.dataset import BaseDataset

from .coco import broken, coco_problems, entries, images_by_id, read_coco
from .fields import are_numbers, is_number, lacking, show, where
from .files import is_local
from .keypoints import keypoints_in_file
from .problem import Problem, shorten
from .settings import listed, type_name

# Bounds of the ratio of the annotated area, which COCO measures within the box, to the area of the box.
_LARGEST, _SMALLEST = 2.0, 1e-3


@dataclass
class Metric:
    """A metric of an evaluator.

    Args:
        key (str): Its key in the config.
        kind (str): The name of its class.
        settings (Mapping): Its config, or the attributes of a built metric.
        content (dict, optional): The content of its annotation file, if it is already read. Default: None.
    """

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
    """Yield the metrics of an evaluator that read files in COCO's format, including those inside other metrics.

    Args:
        evaluator (Any): The config of one or more metrics, or a built evaluator.
        key (str): The key of the evaluator in the config.
    """
    for name, metric in listed(evaluator, key):
        is_config = isinstance(metric, Mapping)
        settings = metric if is_config else getattr(metric, '__dict__', {})
        kind = type_name(metric) if is_config else type(metric).__name__
        inside = 'metrics' if settings.get('metrics') else 'metric'
        found = settings.get(inside)
        if isinstance(found, Mapping) and 'type' not in found:  # of KeypointPartitionMetric, by partition
            found = next(iter(found.values()), None)
        scores = found if isinstance(found, (list, tuple)) else [found]  # in mmdet, e.g. metric=['bbox', 'segm']
        if found and not all(isinstance(score, str) for score in scores):
            if is_config:
                yield from find_metrics(found, f'{name}.{inside}')
            else:  # a built evaluator holds a list, also of a single metric
                yield from find_metrics(scores[0] if len(scores) == 1 else scores, name)
        elif 'Coco' in kind or settings.get('ann_file'):
            api = settings.get('coco') or settings.get('_coco_api')
            yield Metric(name, kind, settings, getattr(api, 'dataset', None))


def metric_problems(metric: Metric, datasets: Sequence[BaseDataset]) -> Iterator[Problem]:
    """Find problems of the annotation file of a metric: missing, not that of the data sets, or lacking fields.

    Args:
        metric (Metric): A metric that :func:`find_metrics` returned.
        datasets (Sequence[BaseDataset]): The data sets that are evaluated together.
    """
    built_by_mmdet = '_coco_api' in metric.settings  # it does not keep its path, and without a path it reads no file
    if not datasets or built_by_mmdet and metric.content is None:
        return
    same = any(is_same(metric.path, dataset.ann_file) for dataset in datasets)
    own = same or metric.path is None and not built_by_mmdet
    path = str(metric.path or (datasets[0].ann_file if own else f'{metric.key}.ann_file'))
    content = metric.content
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
            f'has no annotations, but {metric.key} ({metric.kind}) requires them',
            f'Use a file with annotations, or set {metric.key}.format_only=True and '
            f"{metric.key}.outfile_prefix='results' to only write the results",
        )
        return
    poses = next((dataset for dataset in datasets if dataset.metainfo.get('num_keypoints')), None)
    if 'Coco' in metric.kind and 'Panoptic' not in metric.kind or 'PoseTrack' in metric.kind:
        if metric.settings.get('use_area', True):
            yield from area_problems(content, path, metric.key if poses is not None else None)
        if poses is not None:
            yield from _sigma_problems(metric, poses)
        else:  # pycocotools reads iscrowd of each annotation
            problem = lacking(content, path, 'iscrowd')
            if problem:
                yield replace(problem, kind='no iscrowd')


def area_problems(content: Mapping[str, Any], path: str, key: str | None) -> Iterator[Problem]:
    """Find areas that are missing, not above 0, or not in the unit of the boxes.

    Args:
        content (dict): The content of the annotation file.
        path (str): The path of the annotation file.
        key (str, optional): The key of a metric of mmpose, which has the option `use_area`. None for other readers.
    """
    remedy = "Write the box's area"
    if key:
        remedy += f' (width times height) or the area of the person in it, or set {key}.use_area=False'

    def problem(kind: str, index: int, what: str) -> Problem:
        entry = where('annotations', index, content['annotations'][index])
        return Problem(kind, path, f'has {entry} {what}', remedy)

    large, small, counted = [], [], 0
    for index, annotation in enumerate(content['annotations']):
        if not isinstance(annotation, dict):
            continue
        area: Any = annotation.get('area')
        box: Any = annotation.get('bbox')
        evaluated = annotation.get('num_keypoints', 1) and not annotation.get('iscrowd')
        compared = evaluated and are_numbers(box) and len(box) == 4 and min(box[2:]) > 0
        if 'area' not in annotation:
            yield problem('no area', index, 'without area')
        elif not is_number(area) or compared and area <= 0:
            yield problem('bad area', index, f'with area {show(area)}')
        elif compared:
            counted += 1
            ratio = area / (box[2] * box[3])
            if ratio > _LARGEST:
                large.append(index)
            elif ratio < _SMALLEST:
                small.append(index)
    most = 2 * len(large + small) > counted
    for index in large + small if most else large:
        area, box = (content['annotations'][index][name] for name in ('area', 'bbox'))
        what = f'with area {show(area)}, but bbox {box} has {box[2] * box[3]:g} square pixels'
        yield problem('area of another unit' if most else 'odd area', index, what)


def is_same(one: Any, other: Any) -> bool:
    """Return whether two paths refer to the same file."""
    if not one or not other:
        return False
    return str(one) == str(other) or is_local(one) and is_local(other) and Path(one).resolve() == Path(other).resolve()


def _other_file(
    metric: Metric, content: dict[str, Any], path: str, datasets: Sequence[BaseDataset]
) -> Iterator[Problem]:
    """Compare the file of a metric with those of the data sets; it may agree with one of them or with their union."""
    candidates = [(dataset.ann_file, ours, dataset) for dataset in datasets if (ours := read_coco(dataset.ann_file))]
    if len(candidates) > 1:
        union = {
            name: [entry for _, ours, _ in candidates for entry in entries(ours, name)]
            for name in ('images', 'annotations')
        }
        candidates.append((', '.join(path for path, _, _ in candidates), union, candidates[0][2]))
    found: list[Problem] = []
    for own_path, ours, dataset in candidates:
        found = list(_differences(metric, content, path, own_path, ours, dataset))
        if not found:
            return
    yield from found


def _differences(
    metric: Metric, theirs: dict[str, Any], path: str, own_path: str, ours: dict[str, Any], dataset: BaseDataset
) -> Iterator[Problem]:
    own, other = images_by_id(ours), images_by_id(theirs)
    own_boxes, other_boxes = _boxes(ours), _boxes(theirs)
    whole = dataset._indices is None and getattr(dataset, 'sample_interval', 1) == 1

    def problem(kind: str, difference: str) -> Problem:
        what = f'({metric.key}.ann_file) is not the file of the data set, {own_path}: {difference}'
        return Problem(kind, path, what, f'Set {metric.key}.ann_file to {own_path}')

    annotated = getattr(dataset, 'data_mode', '') == 'topdown' and not getattr(dataset, 'bbox_file', None)
    absent = [number for number in (own_boxes if own_boxes and annotated else own) if number not in other]
    if absent and whole:
        yield problem('other images', f'it lacks {len(absent)} of its images, with id {_ids(absent)}')
        return
    shared = [number for number in own if number in other]
    different = [number for number in shared if _differ(own[number], other[number])]
    if different:
        first = different[0]
        yield problem(
            'other images',
            f'{len(different)} image ids belong to different images; id {show(first)} is {_describe(other[first])} '
            f'there and {_describe(own[first])} in the data set',
        )
        return
    more = [number for number in other_boxes if number not in own]
    if more and whole:
        what = f'it has {len(more)} more annotated images, with id {_ids(more)}, which would count as missed'
        yield problem('other images', what)
    if not own_boxes or not other_boxes:  # e.g. of a test set without labels
        return
    total = sum(len(other_boxes.get(number, ())) for number in shared)
    count = sum(len(own_boxes.get(number, ())) for number in shared)
    same = sum(len(other_boxes[number] & own_boxes.get(number, set())) for number in shared if number in other_boxes)
    if 2 * same < total:
        yield problem('other images', f'only {same} of its {total} boxes are in the data set')
    elif total != count:
        what = f'it has {total} annotations of these images, and the data set has {count}'
        yield problem('other number of annotations', what)


def _boxes(content: Mapping[str, Any]) -> dict[Any, set[tuple]]:
    boxes: dict[Any, set[tuple]] = {}
    for annotation in entries(content, 'annotations'):
        if are_numbers(annotation.get('bbox')) and isinstance(annotation.get('image_id'), (int, float, str)):
            boxes.setdefault(annotation['image_id'], set()).add(tuple(annotation['bbox']))
    return boxes


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two images with the same id differ in size, or in name without folder and suffix."""
    names = [PurePath(image['file_name']).stem for image in (one, other) if isinstance(image.get('file_name'), str)]
    sizes = [(image.get('width'), image.get('height')) for image in (one, other)]
    return len(set(names)) > 1 or sizes[0] != sizes[1] and not any(None in size for size in sizes)


def _describe(image: Mapping[str, Any]) -> str:
    return f'{image.get("file_name")} of {image.get("width")}x{image.get("height")}'


def _sigma_problems(metric: Metric, dataset: BaseDataset) -> Iterator[Problem]:
    if metric.settings.get('gt_converter') or metric.settings.get('pred_converter'):
        return
    count = dataset.metainfo['num_keypoints']
    if not len(dataset.metainfo['sigmas']):
        yield Problem(
            'sigmas',
            f'metainfo of {type(dataset).__name__}',
            f'has 0 sigmas for {count} keypoints, but {metric.key} ({metric.kind}) needs them to compute OKS',
            f"Write {count} sigmas, for example 0.05 each, or use a metric without sigmas: dict(type='PCKAccuracy')",
        )


def _ids(numbers: list) -> str:
    return shorten([show(number) for number in numbers], 3)
