"""The filter drops the known harmless messages and no others."""

import logging
import warnings

import pytest
from mmengine.logging import MMLogger, print_log

from hrformer_mm import messages
from hrformer_mm.hooks import QuietHook

KNOWN = (
    'The prefix is not set in metric class IoUMetric.',
    'paramwise_options -- backbone.conv1.weight:lr=0.001',
    '"FileClient" will be deprecated in future.',
    '"HardDiskBackend" is the alias of "LocalBackend"',
    'Failed to search registry with scope "mmseg" in the "function" registry tree.',
)
OTHERS = (
    'The model and loaded state dict do not match exactly',
    'a parameter of paramwise_options -- is unknown',
    'Failed to search registry with scope "mmseg" in the "model" registry tree.',
)


@pytest.fixture
def logger(request, capsys):  # capsys first: the logger holds sys.stderr
    logger = MMLogger.get_instance(request.node.name)
    yield logger
    MMLogger._instance_dict.pop(request.node.name)


def logged(logger, capsys, enabled=True):
    QuietHook(enabled)
    for message in (*KNOWN, *OTHERS):
        print_log(message, logger='current', level=logging.ERROR)
    out = ''.join(capsys.readouterr())
    return [message for message in (*KNOWN, *OTHERS) if message in out]


def test_hook_filters_the_log(logger, capsys):
    assert logged(logger, capsys) == list(OTHERS)


def test_hook_can_be_turned_off(logger, capsys):
    assert logged(logger, capsys, enabled=False) == [*KNOWN, *OTHERS]
    with pytest.raises(TypeError, match="enabled must be True or False, but is 'no'"):
        QuietHook('no')


def test_warnings(recwarn):
    messages.filter_warnings()
    warnings.warn('When align_corners=True, the output would more aligned if input size')
    warnings.warn('The metainfo config file "configs/_base_/datasets/coco.py" does not exist. A matched config file')
    warnings.warn('The metainfo config file "mine.py" does not exist. A matched config file')
    assert [str(warning.message) for warning in recwarn] == [
        'The metainfo config file "mine.py" does not exist. A matched config file'
    ]


def test_ocr_head_does_not_warn_of_mmseg(recwarn):
    from hrformer_mm import OCRHead

    OCRHead([4, 8], num_classes=3, channels=8, key_channels=4, norm_cfg=dict(type='BN'))
    assert not [str(warning.message) for warning in recwarn if 'build_loss' in str(warning.message)]
