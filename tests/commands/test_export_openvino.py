import json
import os

import numpy as np
import pytest
import torch

from hrformer_mm.commands.export import export
from hrformer_mm.commands.model import load_model, read_config

openvino = pytest.importorskip('openvino', reason="OpenVINO is not installed: pip install 'hrformer_mm[openvino]'")


def run(path, images):
    compiled = openvino.compile_model(str(path), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    return compiled({'images': images.numpy()})['output']


def test_pose(micro, tmp_path):
    """The suffix chooses the format. The file computes the same as mmpose's model."""
    done = export(*micro['pose'], str(tmp_path / 'a.xml'))
    assert done.format == 'openvino' and 0 < done.difference < 1e-5
    assert sorted(os.listdir(tmp_path)) == ['a.bin', 'a.xml']
    about = json.loads(openvino.Core().read_model(tmp_path / 'a.xml').get_rt_info(['hrformer_mm']).astype(str))
    assert about['task'] == 'pose' and len(about['keypoints']) == 17
    images = torch.randn(1, 3, *about['size'])
    with torch.no_grad():
        wanted = load_model(read_config(micro['pose'][0]), micro['pose'][1])(images, None, mode='tensor').numpy()
    np.testing.assert_allclose(run(tmp_path / 'a.xml', images), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.slow
@pytest.mark.parametrize('task', ['seg', 'cls'])
def test_other_tasks(micro, tmp_path, task):
    assert export(*micro[task], str(tmp_path / 'a.xml'), size=(64, 96)).difference < 1e-5


@pytest.mark.parametrize('option', ['dynamic_batch', 'dynamic_size'])
def test_one_shape_only(micro, tmp_path, option):
    with pytest.raises(ValueError, match=r"OpenVINO's format takes images of one shape: .*, or export to .onnx"):
        export(*micro['seg'], str(tmp_path / 'a.xml'), **{option: True})


def test_unknown_suffix(micro, tmp_path):
    with pytest.raises(ValueError, match='must end in one of .onnx, .xml, .pt2, which chooses the format'):
        export(*micro['pose'], str(tmp_path / 'a.bin'))
