"""Which remedies a long fit is offered."""

import torch
from helpers import TEXTS, small_lm
from sklearn.frozen import FrozenEstimator

from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, ULMFiTClassifier
from skulmfit.estimators import fit_remedies
from skulmfit.estimators.fit_remedies import remedies


def said(estimator):
    return " ".join(remedies(estimator))


def test_a_frozen_language_model_is_offered_to_those_who_have_none():
    assert "FrozenEstimator" in said(ULMFiTClassifier())
    frozen = ULMFiTClassifier(FrozenEstimator(small_lm().fit(TEXTS)))
    assert "language model" not in said(frozen)
    assert "FrozenEstimator" not in said(LMFineTuner())


def test_a_gpu_that_is_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "A GPU, which this machine has not" in said(ULMFiTClassifier())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert 'device="auto"' in said(ULMFiTClassifier(device="cpu"))


def test_the_quick_recipe_is_offered_where_there_is_one(monkeypatch):
    recipes = {**CLASSIFIER_RECIPES, "quick": CLASSIFIER_RECIPES["skulmfit"]}
    monkeypatch.setattr(ULMFiTClassifier, "_named_recipes", recipes)
    assert 'recipe="quick"' in said(ULMFiTClassifier())
    assert 'recipe="quick"' not in said(ULMFiTClassifier(recipe="quick"))


def test_fewer_threads_are_offered_on_a_busy_machine(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(fit_remedies.os, "cpu_count", lambda: 4)
    for load, is_busy in ((9.0, True), (1.0, False)):
        monkeypatch.setattr(fit_remedies.os, "getloadavg", lambda load=load: (load, load, load))
        assert ("torch.set_num_threads(1)" in said(ULMFiTClassifier())) == is_busy
