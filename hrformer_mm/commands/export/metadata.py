"""What a program needs to know to feed an exported file and to read its output."""

from typing import Any

from mmengine.config import Config

from ..model import TASKS, dataset_meta

_SCALE = 1.25  # mmpose's default of GetBBoxCenterScale


def metadata(cfg: Config, size: tuple[int, int], dynamic_size: bool) -> dict[str, Any]:
    """The numbers of pre- and post-processing, all of plain types.

    Returns:
        dict: `task`; `mean`, `std` and `rgb`, whether the channels are in that order; `size`, height and width;
        `dynamic_size`; `classes` and `palette`, or `keypoints`, `skeleton`, `box_scale` and `codec`.
    """
    scope = cfg.default_scope
    preprocessor = cfg.get('data_preprocessor') if scope == 'mmpretrain' else cfg.model.data_preprocessor
    result = dict(task=TASKS[scope], mean=list(preprocessor['mean']), std=list(preprocessor['std']),
                  rgb=bool(preprocessor.get('bgr_to_rgb', preprocessor.get('to_rgb', False))), size=list(size),
                  dynamic_size=dynamic_size, config=str(cfg.filename))
    about = dataset_meta(cfg)
    if scope == 'mmpose':
        steps = [step for step in cfg.test_dataloader.dataset.pipeline if step['type'] == 'GetBBoxCenterScale']
        names = about.get('keypoint_id2name') or {}
        result.update(keypoints=[names[i] for i in sorted(names)],
                      skeleton=[list(map(int, link)) for link in about.get('skeleton_links', ())],
                      box_scale=steps[0].get('padding', _SCALE) if steps else _SCALE,
                      codec={key: list(value) if isinstance(value, (list, tuple)) else value
                             for key, value in cfg.codec.items()})
    else:
        result.update(classes=list(about.get('classes') or ()), palette=[list(c) for c in about.get('palette') or ()])
    if scope == 'mmpretrain':
        edges = [step['scale'] for step in cfg.test_dataloader.dataset.pipeline if step['type'] == 'ResizeEdge']
        result['resize_edge'] = edges[0] if edges else None
    return result
