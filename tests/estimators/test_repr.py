"""What a notebook shows of an estimator."""

import re

import pytest
import sklearn
from sklearn.base import clone
from sklearn.utils.fixes import parse_version

from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, ULMFiTClassifier
from skulmfit.estimators.base import TextEstimator

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


def test_a_notebook_links_nowhere_until_the_documentation_has_an_address(shown):
    assert "href" not in shown


def test_a_fitted_estimator_of_a_recipe_of_ones_own_stays_short(tiny_classifier):
    clf = clone(tiny_classifier).set_params(recipe=CLASSIFIER_RECIPES["paper"])
    assert "Phase(" not in repr(clf) and "Dropouts(" not in repr(clf)
    assert "Recipe(" not in tiny_classifier._repr_html_()


@pytest.mark.skipif(not SHOWS_ATTRIBUTES, reason="scikit-learn shows attributes and tooltips since 1.9")
def test_with_an_address_a_notebook_explains_every_parameter_and_attribute(tiny_classifier, monkeypatch):
    monkeypatch.setattr(TextEstimator, "_doc_link_template", "https://docs.example/{estimator_name}")
    shown = tiny_classifier._repr_html_()
    assert 'href="https://docs.example/ULMFiTClassifier' in shown
    for name in (*ULMFiTClassifier().get_params(deep=False), "classes_", "history_", "stages_", "vocab_size_"):
        assert re.search(rf"{name}: [^<]{{3,}}", shown), name
