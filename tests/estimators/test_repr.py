"""What a notebook shows of an estimator."""

import re

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

from skulmfit import LMFineTuner, ULMFiTClassifier

SHOWS_ATTRIBUTES = parse_version(sklearn.__version__) >= parse_version("1.9")


@pytest.fixture(scope="module")
def shown(request):
    html = request.getfixturevalue("tiny_classifier")._repr_html_()
    return re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)


def test_the_text_names_only_what_differs_from_the_defaults():
    assert repr(ULMFiTClassifier(LMFineTuner(epochs=3))) == "ULMFiTClassifier(lm=LMFineTuner(epochs=3))"


def test_a_notebook_shows_no_modules_weights_or_vocabularies(shown):
    assert not re.search(r"Encoder|Linear\(|Tokenizer\(|tensor\(|state_dict", shown)
    assert len(shown) < 100_000


def test_a_notebook_shows_the_language_model_as_a_part(shown):
    assert shown.count("LMFineTuner") > 1


@pytest.mark.skipif(not SHOWS_ATTRIBUTES, reason="scikit-learn shows attributes and tooltips since 1.9")
def test_a_notebook_explains_every_parameter_and_attribute(shown):
    for name in (*ULMFiTClassifier().get_params(deep=False), "classes_", "history_", "stages_", "vocab_size_"):
        assert re.search(rf"{name}: [^<]{{3,}}", shown), name
