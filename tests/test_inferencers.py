"""The zoo's names in the libraries' own Python interfaces, beside paths; all else is left as the libraries have it."""
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import hrformer_mm  # noqa: F401

CONFIGS = Path(__file__).parents[1] / 'configs'
PICTURE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


@pytest.fixture
def weights(tmp_path):
    """Makes a checkpoint of a config's model."""

    def make(name: str) -> str:
        cfg = Config.fromfile(CONFIGS / f'{name}.py')
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'weights.pth')
        return str(tmp_path / 'weights.pth')

    return make


def holds(model: torch.nn.Module, path: str) -> bool:
    """Whether a model has the tensors of a checkpoint."""
    own, state = model.state_dict(), torch.load(path)['state_dict']
    return own.keys() == state.keys() and all(torch.equal(own[name], state[name]) for name in own)


def test_poses(weights):
    from mmpose.apis import MMPoseInferencer
    name = 'td-hm_hrformer-t_coco-256x192'
    path = weights(name)
    found = []
    for model in (name, str(CONFIGS / f'{name}.py')):
        inferencer = MMPoseInferencer(pose2d=model, pose2d_weights=path, det_model='whole_image', device='cpu')
        assert holds(inferencer.inferencer.model, path)
        found.append(next(inferencer(PICTURE))['predictions'][0][0]['keypoints'])
    np.testing.assert_array_equal(*found)
    for unknown in ('td-hm_hrformer-t', 'ocr_hrformer-s_cityscapes'):  # the second is for mmseg
        with pytest.raises(ValueError, match=f'Cannot find model: {unknown} in mmpose'):
            MMPoseInferencer(unknown, device='cpu')


def test_segmentation(weights):
    from mmseg.apis import MMSegInferencer
    path = weights('ocr_hrformer-s_cityscapes')
    assert holds(MMSegInferencer('OCR_HRFormer-S_Cityscapes', path, device='cpu').model, path)  # mmengine ignores case
    with pytest.raises(ValueError, match='Cannot find model: ocr_hrformer-x_cityscapes in mmseg'):
        MMSegInferencer('ocr_hrformer-x_cityscapes', device='cpu')


def test_detection():
    from mmdet.apis import DetInferencer
    model = DetInferencer('fcos_hrformer-s_coco', device='cpu').model
    assert sum(p.numel() for p in model.parameters()) == 15_883_204


def test_classification(weights):
    import mmpretrain
    name = 'hrformer-t_imagenet'
    path = weights(name)
    assert holds(mmpretrain.get_model(name, pretrained=path), path)
    by_name, by_path = (mmpretrain.ImageClassificationInferencer(model, pretrained=path, device='cpu')(PICTURE)[0]
                        for model in (name, str(CONFIGS / f'{name}.py')))
    np.testing.assert_array_equal(by_name['pred_scores'], by_path['pred_scores'])
    for unknown in ('hrformer-t', 'td-hm_hrformer-t_coco-256x192'):
        with pytest.raises(ValueError, match=f'Failed to find model "{unknown}"'):
            mmpretrain.get_model(unknown)


def test_without_weights_the_library_says_so():
    import mmpretrain
    with pytest.warns(UserWarning, match='Unable to find pre-defined checkpoint'):
        mmpretrain.get_model('hrformer-t_imagenet', pretrained=True)


def test_the_libraries_own_names():
    from mmengine.infer import BaseInferencer
    from mmpretrain.apis import ModelHub
    cfg, url = BaseInferencer._load_model_from_metafile(SimpleNamespace(scope='mmseg'),
                                                        'fcn_r50-d8_4xb2-40k_cityscapes-512x1024')
    assert cfg.model.decode_head.type == 'FCNHead' and url.startswith('https://download.openmmlab.com/mmsegmentation/')
    assert ModelHub.get('resnet18_8xb32_in1k').weights.startswith('https://download.openmmlab.com/mmclassification/')


@pytest.mark.parametrize('first, second', [('hrformer_mm', 'mmengine.infer'), ('mmengine.infer', 'hrformer_mm')])
def test_either_is_imported_first(run_python, first, second):
    out = run_python(f'''
import importlib.util, sys
import {first}
print('mmengine.infer' in sys.modules)
importlib.util.find_spec('mmengine.infer.infer')  # looks, and imports nothing but the package
import {second}
from types import SimpleNamespace
from mmengine.infer import BaseInferencer
load = BaseInferencer._load_model_from_metafile
cfg, weights = load(SimpleNamespace(scope='mmpose'), 'td-hm_hrformer-b_coco-256x192')
print(cfg.model.type, weights, load.__wrapped__.__qualname__)
''')
    assert out.split() == [str(first == 'mmengine.infer'), 'TopdownPoseEstimator', 'None',
                           'BaseInferencer._load_model_from_metafile']
