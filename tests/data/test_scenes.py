"""Generated scenes: read by mmseg's own classes, their labels those of the classes that are drawn."""
from pathlib import Path

import cv2
import numpy as np
import pytest

import hrformer_mm.compat  # noqa: F401  (lets the host library import with mmcv-lite)
from hrformer_mm.data.cityscapes import IGNORED_IDS, LABEL_IDS
from hrformer_mm.data.scenes import ADE20K, COCO_STUFF, PASCAL_CONTEXT

# What each data set calls the things of a street, where it has a class of them.
NAMES = dict(
    PascalContextDataset=dict(
        road='road', sidewalk='sidewalk', building='building', wall='wall', fence='fence', traffic_light='light',
        traffic_sign='sign', vegetation='tree', terrain='grass', sky='sky', person='person', rider='person', car='car',
        truck='truck', bus='bus', train='train', motorcycle='motorbike', bicycle='bicycle', rail_track='track',
        pole='background', ego_vehicle='background', static='background'),
    COCOStuffDataset=dict(
        road='road', sidewalk='pavement', building='building-other', wall='wall-concrete', fence='fence',
        pole='structural-other', traffic_light='traffic light', traffic_sign='stop sign', vegetation='tree',
        terrain='grass', sky='sky-other', person='person', rider='person', car='car', truck='truck', bus='bus',
        train='train', motorcycle='motorcycle', bicycle='bicycle', rail_track='railroad'),
    ADE20KDataset=dict(
        road='road', sidewalk='sidewalk', building='building', wall='wall', fence='fence', pole='pole',
        traffic_light='traffic light', traffic_sign='signboard', vegetation='tree', terrain='grass', sky='sky',
        person='person', rider='person', car='car', truck='truck', bus='bus', motorcycle='minibike',
        bicycle='bicycle', static='ashcan'))
LABELS = dict(PascalContextDataset=PASCAL_CONTEXT, COCOStuffDataset=COCO_STUFF, ADE20KDataset=ADE20K)


@pytest.mark.parametrize('kind', NAMES)
def test_labels_are_the_classes(kind: str) -> None:
    import mmseg.datasets
    classes = getattr(mmseg.datasets, kind).METAINFO['classes']
    if kind != 'PascalContextDataset':
        classes = ('nobody labelled it', *classes)  # these two count from 1 in their files
    assert set(LABELS[kind]) == set(LABEL_IDS) | set(IGNORED_IDS)
    for thing, label in LABELS[kind].items():
        assert classes[label] == NAMES[kind].get(thing, 'nobody labelled it')


@pytest.mark.parametrize('config, classes, seen', [
    ('pascal-context-59_520x520', 59, 12), ('pascal-context-60_520x520', 60, 12), ('coco-stuff10k_520x520', 171, 12),
    ('ade20k_520x520', 150, 12)])
def test_data_sets_of_the_configs(data: Path, config: str, classes: int, seen: int) -> None:
    """As the configs name them, with nothing but their root changed."""
    from mmengine.config import Config
    from mmengine.registry import DATASETS, DefaultScope
    import mmseg.datasets  # noqa: F401
    cfg = Config.fromfile(Path(__file__).parents[2] / f'configs/_base_/datasets/{config}.py')
    for loader, count in ((cfg.train_dataloader, 24), (cfg.test_dataloader, 12)):
        loader.dataset.data_root = str(data / Path(loader.dataset.data_root).relative_to('data'))
        with DefaultScope.overwrite_default_scope('mmseg'):
            dataset = DATASETS.build(loader.dataset)
        assert len(dataset) == count and len(dataset.metainfo['classes']) == classes
        labels = np.concatenate([dataset[i]['data_samples'].gt_sem_seg.data.flatten().numpy() for i in range(count)])
        found = set(np.unique(labels)) - {255}
        assert seen <= len(found) and max(found) < classes


def test_custom(data: Path) -> None:
    for split, count in (('train', 24), ('val', 12)):
        images = sorted((data / f'custom/images/{split}').glob('*.jpg'))
        assert len(images) == count
        for image in images:
            labels = cv2.imread(str(data / f'custom/labels/{split}/{image.stem}.png'), cv2.IMREAD_UNCHANGED)
            assert labels.shape == cv2.imread(str(image)).shape[:2] and set(np.unique(labels)) == {0, 1}
