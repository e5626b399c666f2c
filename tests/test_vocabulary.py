"""Pages, docstrings, comments and messages use the vocabulary of the field instead of private synonyms."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for pattern in (
        '*.md',
        '*.py',
        'docs/**/*.md',
        'hrformer_mm/**/*.py',
        'configs/**/*.py',
        'benchmarks/*.py',
        'scripts/*.py',
        'examples/*.py',
    )
    for path in ROOT.glob(pattern)
    if path.name != 'CHANGELOG.md'
)
# A pattern of private synonyms: the standard terms.
SYNONYMS = {
    r'(?<!CUDA )(?<!video )(?<!network )(?<!camera )streams?(?! from\b)': 'branch',
    r'(?<!in )(?<!in-)(?<!decimal )(?<!to )(?<!takes )(?<!take )places?': 'position, token, pixel',
    r'anew': 'recompute, again',
    r'takes? (its|the|their) place|in the place of': 'falls back to, replaces',
    r'says?|said|told|tells?|without a word': 'warns, raises, reports, logs, states',
    r'go(es)? not with': 'is incompatible with',
    r'stands? on': 'depends on, is built on',
    r'keeps? (its|their) inputs? alone': 'saves only its input for backward',
    r'forms? for inference|frozen form': 'deployment form',
    r'as ever': 'unchanged, as before',
    r'(?-i:(?<!there )(?:is|are) none)': 'invalid, unsupported, not a ...',
    r'looks? at|looked at': 'check, inspect',
    r'by one go|in a row': 'in a single pass, one after the other',
    r'strips?': 'row tiles',
    r'side by side': 'in parallel, next to each other',
    r'of itself|as it is(?= \()': 'by default',
}
PATTERN = re.compile('|'.join(rf'\b(?:{pattern})\b' for pattern in SYNONYMS), re.IGNORECASE)
CODE = re.compile(r'`[^`]*`')


def prose(path: Path) -> list[tuple[int, str]]:
    """Return numbered lines of text: a page without its code blocks, or the comments and strings of a module."""
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.md':
        text = re.sub(r'^```.*?^```', lambda block: '\n' * block[0].count('\n'), text, flags=re.MULTILINE | re.DOTALL)
        return [(n, line) for n, line in enumerate(text.splitlines(), 1) if not line.startswith('    ')]
    lines = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ' ' in node.value:
            lines += [(node.lineno + n, line) for n, line in enumerate(node.value.splitlines())]
    return lines


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_synonyms(path):
    found = [
        f'{path.relative_to(ROOT)}:{number}: {match[0]!r} in {line.strip()!r}'
        for number, line in prose(path)
        for match in PATTERN.finditer(CODE.sub('``', line))
    ]
    assert not found, '\n'.join(found)
