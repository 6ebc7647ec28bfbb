"""Documents of one class, or of similar numbers, are drawn together, beside the loss of the outputs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import LABELS, RECIPE, TEXTS, Killed, broken_off
from sklearn.linear_model import LogisticRegression, Ridge

from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, ULMFiTClassifier, ULMFiTRegressor
from skulmfit.estimators import fit_checkpoint
from skulmfit.models.registry import load_pretrained
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.target_losses import contrastive_loss
from skulmfit.training import head_fine_tuning
from skulmfit.training.contrastive_task import ContrastiveTask
from skulmfit.training.head import Head
from skulmfit.training.head_fine_tuning import with_new_head
from skulmfit.training.supervised_task import Examples, SupervisedTask

QUESTIONS = ["Who wrote it?", "Who sang that song?", "Where is Lima?", "Where do ants live?", "How many are there?"] * 3
KINDS = np.array([0, 0, 1, 1, 2] * 3)


@pytest.fixture(scope="module")
def new_task():
    """Makes a task of some kind on the questions."""
    model = load_pretrained("en", "forward")
    head = Head(3, 5, None, None, None, None, groups=None, ends_solved=True)
    recipe = CLASSIFIER_RECIPES["skulmfit"]
    runtime = Runtime.resolve("cpu")
    network = with_new_head(model, head.shape(model, recipe), recipe)

    def total(outputs, targets, weights):
        return outputs.sum()

    def make(kind, groups=KINDS, **options):
        examples = Examples(model.tokenizer.encode(QUESTIONS), groups, np.ones(len(QUESTIONS)))
        if kind is ContrastiveTask:
            options["groups"] = groups
        return kind(network.eval(), examples, runtime, **{"loss": total, "batch_size": 4} | options)

    return make


def test_every_document_stands_once_beside_another_one_of_its_class(new_task):
    batches = new_task(ContrastiveTask, weight=1.0).batches(np.random.default_rng(0))
    documents, partners = (np.concatenate(parts) for parts in zip(*[np.split(batch, 2) for batch in batches]))
    assert sorted(documents) == list(range(len(QUESTIONS)))
    assert (KINDS[documents] == KINDS[partners]).all()
    assert (documents != partners).all()


def test_the_only_document_of_a_class_stands_beside_itself(new_task):
    classes = np.array([0] * 14 + [1])
    (batch,) = [
        batch
        for batch in new_task(ContrastiveTask, classes, weight=1.0).batches(np.random.default_rng(0))
        if 14 in batch
    ]
    assert (batch == 14).sum() == 2


def test_in_a_large_batch_only_a_document_without_another_one_of_its_class_gets_one(new_task):
    classes = np.array([0] * 12 + [1, 2, 2])
    task = new_task(ContrastiveTask, classes, weight=1.0, batch_size=128)
    (batch,) = task.batches(np.random.default_rng(0))
    assert sorted(batch) == [*range(12), 12, 12, 13, 14]


def test_the_contrastive_loss_of_the_sentence_vectors_comes_to_that_of_the_outputs(new_task):
    batch = np.arange(6)
    outputs, both = new_task(SupervisedTask).loss(batch), new_task(ContrastiveTask, weight=2.0).loss(batch)
    assert float(both.loss.detach()) == pytest.approx(float(outputs.loss.detach()))  # what is reported
    vectors = torch.from_numpy(LMFineTuner(epochs=0, features="sentence").fit(QUESTIONS[:6]).transform(QUESTIONS[:6]))
    expected = 2 * contrastive_loss(vectors, torch.from_numpy(KINDS[:6]), torch.ones(6), temperature=0.1)
    assert float((both.objective - both.loss).detach()) == pytest.approx(float(expected), rel=1e-4)


def test_a_partner_that_is_longer_than_its_batch_is_left_out(new_task):
    task = new_task(ContrastiveTask, np.array([0] * 12 + [1, 2, 2]), weight=1.0)
    task._lengths = np.array([9] * 14 + [50])
    assert task._needed(np.array([0, 1, 13]), np.arange(15)[::-1]).tolist() == [1]
    task._lengths = np.full(15, 9)
    assert task._needed(np.array([0, 1, 13]), np.array([*range(13), 14, 13])).tolist() == [14]


def fitted(y=LABELS, kind=ULMFiTClassifier, **changes):
    options = {"epochs": 2, "random_state": 0} | changes
    return kind(LMFineTuner(epochs=0), **options).fit(TEXTS, y)


@pytest.fixture(scope="module")
def classifier():
    return fitted()


NEW = ["A fine film, with fine music.", "Dull!", "boring, boring story"]


def test_a_fitted_classifier_is_a_logistic_regression_on_its_own_features(classifier):
    expected = LogisticRegression(max_iter=300).fit(classifier.transform(TEXTS), LABELS)
    np.testing.assert_allclose(
        classifier.predict_proba(NEW), expected.predict_proba(classifier.transform(NEW)), atol=2e-3
    )


WITHOUT = replace(CLASSIFIER_RECIPES["skulmfit"], contrast=0.0)


def test_the_contrastive_loss_is_part_of_the_default(classifier):
    assert np.abs(fitted(recipe=WITHOUT).transform(TEXTS) - classifier.transform(TEXTS)).max() > 1e-2


STARS = [5 if label == "good" else 1 for label in LABELS]


def test_numbers_have_the_contrastive_loss_and_end_as_a_ridge_regression():
    regressor, without = (fitted(STARS, ULMFiTRegressor, **own) for own in ({}, {"recipe": WITHOUT}))
    assert np.abs(regressor.transform(TEXTS) - without.transform(TEXTS)).max() > 1e-2
    expected = Ridge(alpha=10.0).fit(regressor.transform(TEXTS), STARS).predict(regressor.transform(NEW))
    np.testing.assert_allclose(regressor.predict(NEW), expected, atol=0.02)


def test_several_numbers_a_text_have_no_contrastive_loss():
    y = np.stack([STARS, np.arange(len(STARS))], axis=1)
    one, other = (fitted(y, ULMFiTRegressor, epochs=1, **own) for own in ({}, {"recipe": WITHOUT}))
    np.testing.assert_array_equal(one.predict(TEXTS), other.predict(TEXTS))


def test_several_labels_a_text_have_the_contrastive_loss_and_keep_the_head_of_the_training(monkeypatch):
    monkeypatch.setattr(head_fine_tuning, "_solve_again", None)  # cannot be called
    y = np.array([[label == "good", len(text) > 30] for text, label in zip(TEXTS, LABELS)], dtype=int)
    classifier, without = (fitted(y, epochs=1, **own) for own in ({}, {"recipe": WITHOUT}))
    assert np.abs(classifier.transform(TEXTS) - without.transform(TEXTS)).max() > 1e-2


def test_ctrl_c_in_the_last_regression_keeps_the_head_of_the_training(monkeypatch):
    solve = head_fine_tuning._solve

    def impatient(*args, is_fine_tuned=False):
        if is_fine_tuned:
            raise KeyboardInterrupt
        solve(*args)

    monkeypatch.setattr(head_fine_tuning, "_solve", impatient)
    with pytest.warns(UserWarning, match="The last regression was interrupted"):
        assert fitted().score(TEXTS, LABELS) > 0.9


def test_a_killed_fit_goes_on_to_the_same_bits(monkeypatch, tmp_path):
    monkeypatch.setattr(fit_checkpoint, "SECONDS_BETWEEN_SAVES", 0.0)
    options = {"recipe": RECIPE, "epochs": 8, "batch_size": 8}  # 24 updates, of which the 20th is saved
    with broken_off(at=22, error=Killed), pytest.raises(Killed):
        fitted(checkpoint=tmp_path, **options)
    with broken_off() as left:
        resumed = fitted(checkpoint=tmp_path, **options)
    assert left == [4]
    np.testing.assert_array_equal(resumed.predict_proba(TEXTS), fitted(**options).predict_proba(TEXTS))
