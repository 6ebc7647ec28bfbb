"""The site: `python -m sphinx -W docs build/site` builds it, `-D plot_gallery=0` without running the gallery."""

import os
import re

from sphinx_gallery.sorting import ExplicitOrder

import skulmfit

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures of the gallery are those of one thread

project = "skulmfit"
author = "the skulmfit developers"
copyright = f"2026, {author}"
version = release = skulmfit.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_templates", "gallery/GALLERY_HEADER.rst"]
suppress_warnings = ["config.cache"]  # the order of the gallery is a list

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

default_role = "code"  # single backticks in docstrings and in the gallery

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say the types
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
toc_object_entries_show_parents = "hide"  # "plot", not "LearningRateDisplay.plot": the side is narrow

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": ExplicitOrder(
        [
            "hundred_labels.py",
            "unlabelled_text.py",
            "labels_in_words.py",
            "text_beside_columns.py",
            "calibration_and_thresholds.py",
            "explain_and_most_wrong.py",
            "grid_with_cache.py",
            "which_text_to_label_next.py",
            "sentence_vectors.py",
            "language_of_ones_own.py",
            "*",
        ]
    ),
    "show_memory": False,
    "min_reported_time": 1,
    "download_all_examples": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "skulmfit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skulmfit"},
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 7,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {page: [] for page in ("getting-started", "concepts", "results/*", "more", "[cfs]*", "models")}

# Pages are read on the site and in the repository. There they link to files, here to the pages made of these.
PAGE_OF = {
    r"examples/gallery/(\w+)\.py": r"gallery/\1.rst",
    r"examples/gallery": "gallery/index.rst",
    r"skulmfit/pretrained/en(?:-\w+)?\.md": "models.md",
    r"CHANGELOG\.md": "changelog.md",
    r"CONTRIBUTING\.md": "contributing.md",
    r"SECURITY\.md": "security.md",
}


def link_to_pages(app, name, source):
    """Rewrite the links of a page."""
    for file, page in PAGE_OF.items():
        source[0] = re.sub(rf"\]\((?:\.\./)+{file}\)", rf"](/{page})", source[0])


def end_blocks(app, name, source):
    """Leave out the empty line that doctest needs at the end of a block."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def setup(app):
    """Connect what is above."""
    app.connect("source-read", link_to_pages)
    app.connect("source-read", end_blocks)
