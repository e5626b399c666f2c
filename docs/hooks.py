"""What `mkdocs build` adds to the pages: files outside docs/ that they link to, at the same path of the site."""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT_PAGES = {'README.md': 'index.md', 'CHANGELOG.md': 'CHANGELOG.md', 'CONTRIBUTING.md': 'CONTRIBUTING.md'}
LINK = re.compile(r'(\]\(|(?:src|href)=")(?![a-z]+:|#)([^)#\s"]+)')


def resolve(link: str, source: str, docs: Path) -> Path:
    """Return the file that a page links to, before the site is built."""
    base = docs.parent if source in ROOT_PAGES.values() else docs
    return Path(os.path.normpath(base / Path(source).parent / link))


def site_path(path: Path, docs: Path) -> str:
    """Return the path of a file below the site."""
    if path.is_relative_to(docs):
        return path.relative_to(docs).as_posix()
    path = path.relative_to(docs.parent).as_posix()
    return ROOT_PAGES.get(path, path)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    docs = Path(config.docs_dir)

    def add(path: Path) -> None:
        uri = site_path(path, docs)
        # MkDocs reports a link to a missing file.
        if not path.is_relative_to(docs) and path.is_file() and files.get_file_from_path(uri) is None:
            files.append(File.generated(config, uri, abs_src_path=str(path)))

    for name in ROOT_PAGES:
        add(docs.parent / name)
    for page in list(files.documentation_pages()):
        for _, link in LINK.findall(page.content_string):
            add(resolve(link, page.src_uri, docs))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Point links to these files, and drop the mark of the snippets that tests/test_docs.py runs."""
    source, docs = page.file.src_uri, Path(config.docs_dir)

    def relative(match: re.Match) -> str:
        path = site_path(resolve(match[2], source, docs), docs)
        return match[1] + os.path.relpath(path, os.path.dirname(source) or '.')

    return re.sub('^```python run.*$', '```python', LINK.sub(relative, markdown), flags=re.MULTILINE)


def on_page_content(html: str, **_: object) -> str:
    """Drop the roles of cross-references in docstrings, for example :class: before the name of a class."""
    return re.sub(r':\w+:(?=<code>)', '', html).replace('<code>~', '<code>')
