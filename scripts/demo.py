"""Train, test and draw segmentation and poses on generated data, from scratch: `python tasks.py demo` runs it.

Pictures, checkpoints and logs are written below work_dirs/demo/. Fails if training does not raise the scores.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks import ROOT, Failure, follow, say

DEMO = Path('work_dirs', 'demo')  # below ROOT, where the commands run
SEG = 'configs/demo/ocr_hrformer-t_synthetic.py'
POSE = 'configs/demo/td-hm_hrformer-t_synthetic.py'
# Name: (prefix of the work folders, score in the test's report, divisor).
SCORES = dict(mIoU=('seg', 'mIoU', 100), AP=('pose', 'coco/AP', 1))
FACTOR = 3  # a trained network must score at least this many times what the untrained one does
# The lines of a launcher that are printed; its log has all of them.
SHOW = re.compile(r'(Iter|Epoch)\((train|val|test)\)|Saving checkpoint|Error|WARNING.*(NaN|nan)')
NOISE = re.compile(r'^.* - mmengine - INFO - |(base_lr|data_time): \S+ *')  # removed from the printed lines


def synthesize(layout: str, *options: object) -> Sequence[object]:
    return ('hrformer-mm', 'synthesize', DEMO / 'data', '--only', layout, *options)


def untrained(config: str, checkpoint: str) -> Sequence[object]:
    return ('python', '-W', 'ignore', 'scripts/untrained.py', config, DEMO / checkpoint)


# The package's own launchers, and not mim, which does not start with setuptools 82 and later.
def train(config: str, folder: str) -> Sequence[object]:
    return ('python', 'tools/train.py', config, '--work-dir', DEMO / folder)


def test(config: str, checkpoint: str, folder: str, *options: object) -> Sequence[object]:
    return ('python', 'tools/test.py', config, DEMO / checkpoint, '--work-dir', DEMO / folder, *options)


# mmpose puts a relative folder for pictures below the work folder, once more for each batch.
PICTURES = ROOT / DEMO / 'pictures'
STEPS = (
    ('make street scenes', synthesize('cityscapes', '--train', 96, '--size', 512, 256)),
    ('make pictures of people', synthesize('coco', '--train', 128)),
    ('keep the untrained segmentation network', untrained(SEG, 'seg.pth')),
    ('keep the untrained pose network', untrained(POSE, 'pose.pth')),
    ('train HRFormer-T + OCR', train(SEG, 'seg')),
    ('train HRFormer-T for poses', train(POSE, 'pose')),
    ('test the untrained segmentation', test(SEG, 'seg.pth', 'seg_untrained')),
    ('test the untrained poses', test(POSE, 'pose.pth', 'pose_untrained')),
    ('test the segmentation', test(SEG, 'seg/iter_520.pth', 'seg_test', '--show-dir', PICTURES / 'seg')),
    ('test the poses', test(POSE, 'pose/epoch_6.pth', 'pose_test', '--show-dir', PICTURES / 'pose')),
)


def show(line: str) -> str | None:
    """Return what is printed of a line of a launcher, or None."""
    return NOISE.sub('', line) if SHOW.search(line) else None


def score(name: str, run_of: str) -> float:
    prefix, key, divisor = SCORES[name]
    (report,) = (ROOT / DEMO / f'{prefix}_{run_of}').glob('*/*.json')  # mmengine names both after the time
    return json.loads(report.read_text())[key] / divisor


def main() -> None:
    for folder in (ROOT / DEMO).glob('*'):
        if folder.name != 'data' and folder.is_dir():  # of the previous demonstration
            shutil.rmtree(folder)
    logs = DEMO / 'logs'
    for number, (name, command) in enumerate(STEPS, start=1):
        say(f'demo {number}/{len(STEPS)}: {name}')
        everything = command[0] == 'hrformer-mm'
        follow(command, ROOT / logs / f'{number:02d}.log', str if everything else show, dict(os.environ))
    scores = {name: (score(name, 'test'), score(name, 'untrained')) for name in SCORES}
    say(f'demo: done; pictures are in {DEMO / "pictures"}, logs in {logs}')
    say('   '.join(f'{name} {trained:.3f} (untrained {before:.3f})' for name, (trained, before) in scores.items()))
    for name, (trained, before) in scores.items():
        if not trained > FACTOR * before:  # also when it is not a number
            sys.exit(f'demo.py: {name} is {trained:.3f}, which is not {FACTOR} times the {before:.3f} before training')
    say(f'predict on an image of yours: hrformer-mm predict {SEG} {DEMO / "seg/iter_520.pth"} IMAGE')


if __name__ == '__main__':
    try:
        main()
    except Failure as failure:
        sys.exit(f'demo.py: {failure}')
    except KeyboardInterrupt:
        sys.exit(130)
