"""Write docs/api.md from docstrings: python docs/make_api.py"""

import inspect
import re
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).with_name('api.md')
HEAD = """# API

Made from docstrings by `python docs/make_api.py`; what is not here may change. Maps are (N, C, H, W).
"""
# Heading: the names below it, each where users import it from.
SECTIONS = {
    'Models': [
        'hrformer_mm.HRFormer',
        'hrformer_mm.ClassificationNeck',
        'hrformer_mm.OCRHead',
        'hrformer_mm.models.encoder_decoder.EncoderDecoder',
        'hrformer_mm.models.CrossEntropyLoss',
        'hrformer_mm.TopdownHeatmapHead',
        'hrformer_mm.models.swin.DepthwiseSwinTransformer',
    ],
    'Inference': [
        'hrformer_mm.config_path',
        'hrformer_mm.to_deploy',
        'hrformer_mm.commands.predict.predict',
        'hrformer_mm.commands.export.export',
        'hrformer_mm.runtime.load',
        'hrformer_mm.runtime.Result',
    ],
    'Training': ['hrformer_mm.hooks.Safeguard', 'hrformer_mm.hooks.DeployHook', 'hrformer_mm.data.synthesize'],
    'Weights': [
        'hrformer_mm.commands.convert.convert',
        'hrformer_mm.weights.adapt_state_dict',
        'hrformer_mm.weights.read_checkpoint',
        'hrformer_mm.weights.read_tensors',
        'hrformer_mm.weights.write_tensors',
    ],
    'SegFix': [
        'hrformer_mm.segfix.head.SegFixHead',
        'hrformer_mm.segfix.transform.BoundaryTargets',
        'hrformer_mm.segfix.evaluation.SegFixEvaluator',
        'hrformer_mm.segfix.evaluation.OffsetMetric',
        'hrformer_mm.segfix.refine_labels',
    ],
    'Operators': [
        'hrformer_mm.ops.attention.attention',
        'hrformer_mm.ops.resize_bias_table',
        'hrformer_mm.ops.relative_position_index',
    ],
}


def text(value: object) -> str:
    """A docstring in Markdown: sections in bold, their entries as a list, cross-references as code."""
    lines, single = [], False
    for line in inspect.cleandoc(value.__doc__ or '').splitlines():
        line = re.sub(r':\w+:`~?([^`]+)`', r'`\1`', line)
        section = re.fullmatch(r'(\w+(?:, \w+)*):(?: (.+))?', line)
        entry = re.match(r'    (\S.*)', line)
        if section and section[1].split(',')[0] in ('Args', 'Returns', 'Raises'):
            lines += [f'**{section[1]}:** {section[2] or ""}'.rstrip(), '']
            single = section[1] == 'Returns'
        else:
            starts = entry and not (single and lines[-1])
            lines.append(f'- {entry[1]}' if starts else re.sub('^ {4,}', '  ', line))
    return '\n'.join(lines)


def page() -> str:
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts.append(f'## {title}\n')
        for name in names:
            module, _, attribute = name.rpartition('.')
            found = getattr(import_module(module), attribute)
            signature = inspect.signature(found)
            parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
            signature = signature.replace(parameters=parameters, return_annotation=signature.empty)
            parts.append(f'### `{name}{signature}`\n\n{text(found)}\n')
    return '\n'.join(parts)


if __name__ == '__main__':
    PAGE.write_text(page(), encoding='utf-8')
