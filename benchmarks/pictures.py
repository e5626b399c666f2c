"""Draw predictions of a trained model on its test data next to the ground truth, from the best to the worst.

python benchmarks/pictures.py --help
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import mmcv
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from hrformer_mm.commands.common import bar, errors
from hrformer_mm.commands.model import load_model, read_config


class Segmentation:
    """Label maps, scored by the mean IoU over the classes of an image and its prediction."""

    def __init__(self, meta: dict[str, Any]) -> None:
        self.classes, self.palette = meta['classes'], np.array(meta['palette'], np.uint8)

    def score(self, sample: Any) -> float:
        from mmseg.evaluation.metrics import IoUMetric

        maps = sample.pred_sem_seg.data[0], sample.gt_sem_seg.data[0]
        intersection, union, *_ = IoUMetric.intersect_and_union(*maps, len(self.classes), 255)
        return float((intersection / union)[union > 0].mean())

    def caption(self, score: float) -> str:
        return f'mIoU {100 * score:.0f}'

    def view(self, image: np.ndarray, sample: Any) -> tuple[float, float, float, float]:
        height, width = image.shape[:2]
        return 0, 0, width, height

    def draw(self, axes: Axes, image: np.ndarray, sample: Any, kind: str) -> None:
        truth, found = (map_.data[0].numpy() for map_ in (sample.gt_sem_seg, sample.pred_sem_seg))
        labels = np.where(truth == 255, 255, truth if kind == 'ground truth' else found)
        colors = np.concatenate([self.palette, np.zeros((256 - len(self.palette), 3), np.uint8)])[labels]
        axes.imshow((0.35 * image + 0.65 * colors).astype(np.uint8))

    def legend(self, figure: Figure) -> None:
        patches = [Patch(color=color / 255, label=name) for name, color in zip(self.classes, self.palette)]
        figure.legend(handles=patches, loc='outside lower center', ncols=len(patches), fontsize=8, frameon=False)


class Pose:
    """Keypoints, scored by their mean distance from the annotation as a part of the longer side of the box."""

    def __init__(self, meta: dict[str, Any]) -> None:
        self.links = meta['skeleton_links']
        self.colors = np.asarray(meta['skeleton_link_colors']) / 255

    def score(self, sample: Any) -> float:
        truth, found = sample.gt_instances, sample.pred_instances.keypoints[0]
        known = truth.keypoints_visible[0] > 0
        x0, y0, x1, y1 = truth.bboxes[0]
        distances = np.linalg.norm(found - truth.keypoints[0], axis=-1)[known]
        return -float(distances.mean() / max(x1 - x0, y1 - y0))

    def caption(self, score: float) -> str:
        return f'error {-100 * score:.0f} %'

    def view(self, image: np.ndarray, sample: Any) -> tuple[float, float, float, float]:
        return tuple(sample.gt_instances.bboxes[0])

    def draw(self, axes: Axes, image: np.ndarray, sample: Any, kind: str) -> None:
        axes.imshow(image)
        known = sample.gt_instances.keypoints_visible[0] > 0
        points = (sample.gt_instances if kind == 'ground truth' else sample.pred_instances).keypoints[0]
        for (a, b), color in zip(self.links, self.colors):
            if known[a] and known[b]:
                axes.plot(*points[[a, b]].T, color=color, linewidth=2.5)
        axes.plot(*points[known].T, 'o', color='white', markersize=3)

    def legend(self, figure: Figure) -> None:
        pass


TASKS = {'mmseg': Segmentation, 'mmpose': Pose}


def predict(cfg: Any, checkpoint: str) -> tuple[list[Any], dict[str, Any]]:
    """The samples of the test data with their predictions, and the metainfo of the data set."""
    model = load_model(cfg, checkpoint)
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.no_grad():
        loader = Runner.build_dataloader(cfg.test_dataloader)
        samples = [sample.cpu() for data in bar(loader, 'test data') for sample in model.test_step(data)]
    return samples, loader.dataset.metainfo


def draw(samples: Sequence[Any], task: Segmentation | Pose, scores: Sequence[float], dpi: int) -> Figure:
    """One column for each sample: the image, the ground truth and the prediction."""
    kinds = 'image', 'ground truth', 'prediction'
    images = [mmcv.imread(sample.img_path, channel_order='rgb') for sample in samples]
    views = [task.view(image, sample) for image, sample in zip(images, samples)]
    widths = [(x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in views]
    figure = Figure(figsize=(1.6 * sum(widths) + 0.3, 1.6 * len(kinds) + 0.6), dpi=dpi, layout='constrained')
    grid = figure.subplots(len(kinds), len(samples), squeeze=False, width_ratios=widths)
    for j, (x0, y0, x1, y1) in enumerate(views):
        for i, kind in enumerate(kinds):
            if kind == 'image':
                grid[i, j].imshow(images[j])
                grid[i, j].set_title(task.caption(scores[j]), fontsize=9)
            else:
                task.draw(grid[i, j], images[j], samples[j], kind)
            grid[i, j].set(xticks=[], yticks=[], xlim=(x0, x1), ylim=(y1, y0))
            grid[i, 0].set_ylabel(kind, fontsize=9)
    task.legend(figure)
    return figure


@click.command()
@click.argument('config')
@click.argument('checkpoint')
@click.argument('output', type=click.Path(dir_okay=False, path_type=Path))
@click.option('--count', type=click.IntRange(min=1), default=5, show_default=True, help='Number of images.')
@click.option('--dpi', type=click.IntRange(min=10), default=100, show_default=True, help='Resolution of OUTPUT.')
def main(config: str, checkpoint: str, output: Path, count: int, dpi: int) -> None:
    """Draw test images of CONFIG with the ground truth and the predictions of CHECKPOINT into OUTPUT, a picture.

    All test images are sorted by their scores. The drawn ones are at equal distances in this order: the first is the
    best of all, the last is the worst.
    """
    with errors():
        cfg = read_config(config, TASKS)
        samples, meta = predict(cfg, checkpoint)
    task = TASKS[cfg.default_scope](meta)
    scored = sorted(((task.score(sample), i) for i, sample in enumerate(samples)), reverse=True)
    chosen = [scored[round(i)] for i in np.linspace(0, len(scored) - 1, count)]
    figure = draw([samples[i] for _, i in chosen], task, [score for score, _ in chosen], dpi)
    figure.savefig(output, pil_kwargs=dict(quality=85) if output.suffix.lower() in ('.jpg', '.jpeg') else None)
    for score, i in chosen:
        click.echo(f'{Path(samples[i].img_path).name}: {task.caption(score)}')


if __name__ == '__main__':
    main()
