import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import LABELS, TEXTS, TINY
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skulmfit import CLASSIFIER_RECIPES, LMFineTuner
from skulmfit.inference import texts as inference

ODD_TEXTS = ["", "漢字", "\x00", "fine", "dull " * 700, "a", "FINE!!!", "fine film " * 130]


def test_fine_tuning_lowers_the_perplexity_of_the_texts(tiny_lm):
    longer = LMFineTuner(**TINY, epochs=20, random_state=0).fit(TEXTS)
    assert longer.perplexity(TEXTS) < 0.5 * tiny_lm.perplexity(TEXTS)


@torch.no_grad()
def test_score_is_the_mean_log_likelihood_of_a_step_by_step_reference(tiny_lm):
    network, total, n = tiny_lm.language_model().network, 0.0, 0
    for text in TEXTS[:6]:
        ids = tiny_lm.language_model().tokenizer.encode([text])[0]
        state = network.encoder.initial_state(1)
        for current, following in zip(ids, ids[1:]):
            encoded = network(torch.tensor([[current]]), state)
            logits = encoded.output[0, 0] * network.encoder.architecture.output_scale @ network.encoder.embedding.T
            total += float(torch.log_softmax(logits + network.decoder_bias, dim=0)[following])
            state, n = encoded.state, n + 1
    assert tiny_lm.score(TEXTS[:6]) == pytest.approx(total / n, abs=1e-5)
    assert tiny_lm.perplexity(TEXTS[:6]) == pytest.approx(np.exp(-total / n), rel=1e-4)


def test_transform_gives_float32_rows_in_the_order_of_the_texts(tiny_lm):
    features = tiny_lm.transform(ODD_TEXTS)
    assert features.dtype == np.float32
    assert features.shape == (len(ODD_TEXTS), 24)
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(tiny_lm.transform(ODD_TEXTS[::-1]), features[::-1])


def test_a_row_does_not_depend_on_the_other_texts(tiny_lm):
    together = tiny_lm.transform(ODD_TEXTS)
    alone = np.vstack([tiny_lm.transform([text]) for text in ODD_TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("pooling", "columns"), [("last", slice(0, 8)), ("max", slice(8, 16)), ("mean", slice(16, 24))]
)
def test_each_pooling_is_a_part_of_concat(tiny_lm, pooling, columns):
    part = copy.deepcopy(tiny_lm).set_params(pooling=pooling)
    np.testing.assert_array_equal(part.transform(TEXTS), tiny_lm.transform(TEXTS)[:, columns])
    assert part.n_features_out_ == 8
    assert part.get_feature_names_out()[0] == f"lmfinetuner_{pooling}0"


def test_features_are_named_and_can_be_a_frame(tiny_lm):
    frame = (
        copy.deepcopy(tiny_lm).set_output(transform="pandas").transform(pd.DataFrame({"text": TEXTS[:2]}, index=[5, 9]))
    )
    assert list(frame.columns[[0, 8, 16]]) == ["lmfinetuner_last0", "lmfinetuner_max0", "lmfinetuner_mean0"]
    assert list(frame.index) == [5, 9]


@pytest.mark.parametrize(
    "copier", [copy.deepcopy, lambda lm: pickle.loads(pickle.dumps(lm))], ids=["deepcopy", "pickle"]
)
def test_a_copy_gives_the_same_features_and_can_be_refitted(tiny_lm, copier):
    copied = copier(tiny_lm)
    np.testing.assert_array_equal(copied.transform(TEXTS), tiny_lm.transform(TEXTS))
    copied.fit(TEXTS)


def test_a_pickle_holds_no_torch_objects(tiny_lm):
    assert b"torch" not in pickle.dumps(tiny_lm)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    fitted = [LMFineTuner(**TINY, epochs=1, random_state=seed).fit(TEXTS) for seed in (0, 0, 1)]
    first, second, other = [lm.transform(TEXTS) for lm in fitted]
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_global_state_is_left_alone():
    torch_state, numpy_state, threads = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    LMFineTuner(**TINY, epochs=1, random_state=0).fit(TEXTS).transform(TEXTS)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert torch.get_num_threads() == threads


def test_epochs_zero_keeps_the_language_model_as_it_is(tmp_path, tiny_lm):
    path = tmp_path / "lm.npz"
    tiny_lm.language_model().save(path, dtype=np.float32)
    kept = LMFineTuner(path, epochs=0).fit(["anything"])
    np.testing.assert_array_equal(kept.transform(TEXTS), tiny_lm.transform(TEXTS))
    assert kept.n_iter_ == 0


def test_a_saved_language_model_can_be_fine_tuned_by_path(tmp_path, tiny_lm):
    path = tmp_path / "lm.npz"
    tiny_lm.language_model().save(path)
    tuned = LMFineTuner(str(path), epochs=5, random_state=0).fit(TEXTS)
    assert tuned.perplexity(TEXTS) < tiny_lm.perplexity(TEXTS)


def test_a_recipe_of_a_classifier_has_no_number_of_streams():
    with pytest.raises(ValueError, match="needs a recipe with a number of streams, but its batch_size is 'auto'"):
        LMFineTuner(**TINY, recipe=CLASSIFIER_RECIPES["skulmfit"]).fit(TEXTS)


def test_the_language_model_that_is_given_away_is_a_copy(tiny_lm):
    before = tiny_lm.transform(TEXTS)
    tiny_lm.language_model().weights["encoder.embedding"][:] = 0
    np.testing.assert_array_equal(copy.deepcopy(tiny_lm).transform(TEXTS), before)


def test_texts_of_nothing_are_legal():
    lm = LMFineTuner(**TINY, epochs=1, random_state=0).fit(["", ""])
    assert np.isfinite(lm.transform(["", "漢"])).all()


def test_the_resolved_plan_and_history_are_visible(tiny_lm):
    assert tiny_lm.n_iter_ == 2
    assert [row["epoch"] for row in tiny_lm.history_] == [1, 2]
    assert tiny_lm.stages_[0].epochs == 2


def test_early_stopping_watches_held_out_texts_and_keeps_the_best_weights():
    lm = LMFineTuner(**TINY, epochs=60, learning_rate=0.05, early_stopping=True, random_state=0).fit(TEXTS[:6])
    losses = [row["validation_loss"] for row in lm.history_]
    assert lm.n_iter_ == len(losses) < 60
    assert losses.index(min(losses)) == len(losses) - 3


def test_an_unfitted_one_says_so():
    with pytest.raises(NotFittedError):
        LMFineTuner().transform(["a"])


def test_a_search_over_perplexity_needs_no_labels():
    search = GridSearchCV(LMFineTuner(**TINY, random_state=0), {"epochs": [1, 20]}, cv=2).fit(TEXTS)
    assert search.best_params_ == {"epochs": 20}


def test_it_is_a_step_of_a_pipeline():
    pipeline = make_pipeline(LMFineTuner(**TINY, epochs=10, random_state=0), LogisticRegression(C=100))
    assert clone(pipeline).fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.9


def test_verbose_shows_progress(capsys):
    LMFineTuner(**TINY, epochs=1, verbose=1).fit(TEXTS)
    assert "language model" in capsys.readouterr().err


def test_the_score_is_the_mean_of_the_texts_log_likelihoods_per_piece(tiny_lm):
    n_pieces = sum(len(ids) - 1 for ids in tiny_lm.language_model().tokenizer.encode(TEXTS))
    samples = tiny_lm.score_samples(TEXTS)
    assert samples.shape == (len(TEXTS),)
    assert samples.sum() / n_pieces == pytest.approx(tiny_lm.score(TEXTS))


def test_generated_text_continues_its_prompt_and_depends_on_the_seed(tiny_lm):
    texts = [tiny_lm.generate("A fine", n_tokens=20, temperature=2.0, random_state=seed) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert all(text.startswith("A fine") or text.startswith("a fine") for text in texts)


def test_without_temperature_generation_takes_the_most_probable_piece(tiny_lm):
    generated = tiny_lm.generate("A fine", n_tokens=5, temperature=0)
    assert generated == tiny_lm.generate("A fine", n_tokens=5, temperature=1, top_k=1)
    assert generated == tiny_lm.generate("A fine", n_tokens=5, temperature=1, top_p=1e-9)


def test_generation_leaves_the_estimator_as_it_is(tiny_lm):
    before = tiny_lm.transform(TEXTS)
    tiny_lm.generate("fine", n_tokens=3)
    np.testing.assert_array_equal(tiny_lm.transform(TEXTS), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_tokens": 0}, "n_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_k": 0}, "top_k"),
    ],
)
def test_generation_refuses_what_makes_no_sense(tiny_lm, options, message):
    with pytest.raises(ValueError, match=message):
        tiny_lm.generate("fine", **options)


def test_many_documents_are_read_in_blocks_that_change_nothing(tiny_lm, monkeypatch):
    at_once = tiny_lm.transform(TEXTS)
    monkeypatch.setattr(inference, "TEXTS_PER_BLOCK", 5)
    np.testing.assert_allclose(tiny_lm.transform(TEXTS), at_once, rtol=1e-4, atol=1e-6)


def test_few_texts_leave_a_pretrained_model_as_it_is_unless_epochs_are_asked_for(saved_lm):
    untouched = LMFineTuner(saved_lm).fit(TEXTS)
    assert untouched.stages_ == [] == untouched.history_
    np.testing.assert_array_equal(
        untouched.transform(TEXTS), LMFineTuner(saved_lm, epochs=0).fit(TEXTS).transform(TEXTS)
    )
    assert LMFineTuner(saved_lm, epochs=1).fit(TEXTS).n_iter_ == 1


def test_few_texts_train_what_has_learnt_nothing_yet(saved_lm):
    assert LMFineTuner(**TINY).fit(TEXTS).n_iter_ > 0
    assert LMFineTuner(saved_lm, tokenizer="train", vocab_size=300).fit(TEXTS).n_iter_ > 0


@pytest.fixture(scope="module")
def saved_lm(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "lm.npz"
    LMFineTuner(**TINY, epochs=1, random_state=0).fit(TEXTS).language_model().save(path)
    return path
