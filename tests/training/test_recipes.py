import math
from dataclasses import replace

import pytest

from skulmfit.nn.dropout import Dropouts
from skulmfit.training import recipe as recipe_module
from skulmfit.training.layer_groups import EMBEDDING, HEAD, layer_names
from skulmfit.training.recipe import EpochsForUpdates, Phase
from skulmfit.training.recipes import CLASSIFIER_RECIPES, LANGUAGE_MODEL_RECIPES
from skulmfit.training.schedules import OneCycle, SlantedTriangular
from skulmfit.training.stages import discriminative_rates


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": math.nan}, "learning_rate of a Recipe == nan, must be a finite number"),
        ({"learning_rate": -1.0}, "learning_rate of a Recipe == -1.0, must be > 0"),
        ({"lr_decay": math.inf}, "lr_decay of a Recipe == inf"),
        ({"lowest_rate": 0.0}, "lowest_rate of a Recipe == 0.0, must be > 0"),
        ({"weight_decay": -1.0}, "weight_decay of a Recipe == -1.0"),
        ({"clip": math.nan}, "clip of a Recipe == nan"),
        ({"alpha": math.inf}, "alpha of a Recipe == inf"),
        ({"label_smoothing": 1.0}, "label_smoothing of a Recipe == 1.0, must be < 1"),
        ({"betas": (0.9, math.nan)}, "betas of a Recipe == nan"),
        ({"batch_size": 0}, "batch_size of a Recipe == 0"),
        ({"dropouts": Dropouts(hidden=1.5)}, "hidden among dropouts of a Recipe == 1.5"),
        ({"phases": ("all",)}, "phases of a Recipe must be a tuple of Phase"),
    ],
)
def test_a_recipe_with_what_is_no_number_is_refused_when_it_is_made(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        replace(CLASSIFIER_RECIPES["skulmfit"], **change)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Phase("all", -1), "epochs of a Phase == -1"),
        (lambda: Phase(0, 1), "unfrozen of a Phase == 0"),
        (lambda: Phase("some", 1), "unfrozen of a Phase must be an instance of Integral"),
        (lambda: Phase("all", 1, rate=math.nan), "rate of a Phase == nan"),
        (lambda: EpochsForUpdates(0, most=1), "updates of EpochsForUpdates == 0"),
    ],
)
def test_a_phase_with_what_is_no_number_is_refused_when_it_is_made(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_every_layer_learns_slower_than_the_one_above():
    rates = discriminative_rates(["embedding", "lstm0", "head"], 0.01, 2.6)
    assert rates == pytest.approx({"embedding": 0.01 / 2.6**2, "lstm0": 0.01 / 2.6, "head": 0.01})


def plan(name="skulmfit", n_updates=10, **changes):
    recipe = CLASSIFIER_RECIPES[name].override(**changes)
    return recipe.stages([EMBEDDING, *layer_names(3), HEAD], lambda alone: n_updates)


def lm_plan(name, **changes):
    recipe = LANGUAGE_MODEL_RECIPES[name].override(**changes)
    return recipe.stages([*layer_names(3), EMBEDDING], lambda alone: 10, whole="language model")


GRADUAL = [
    ["head"],
    ["lstm2", "head"],
    ["lstm1", "lstm2", "head"],
    ["lstm0", "lstm1", "lstm2", "head"],
    ["embedding", "lstm0", "lstm1", "lstm2", "head"],
]


@pytest.mark.parametrize("name", ["skulmfit", "paper", "multifit"])
def test_layers_join_from_the_top_one_by_one(name):
    assert [list(stage.learning_rates) for stage in plan(name, gradual_unfreezing=True)] == GRADUAL


@pytest.mark.parametrize("name", CLASSIFIER_RECIPES)
def test_without_gradual_unfreezing_all_layers_train_from_the_start(name):
    assert [list(stage.learning_rates) for stage in plan(name, gradual_unfreezing=False)] == [GRADUAL[-1]]


def test_of_the_recipes_without_fastais_the_paper_alone_unfreezes_gradually():
    assert [len(plan(name)) for name in ("skulmfit", "paper", "multifit")] == [1, 5, 1]


def test_fastai_unfreezes_two_layers_and_then_everything():
    assert [list(stage.learning_rates) for stage in plan("fastai")] == [*GRADUAL[:3], GRADUAL[4]]


def test_the_classifier_of_the_paper_trains_50_epochs_in_all():
    stages = plan("paper")
    assert sum(stage.epochs for stage in stages) == 50
    assert stages[-1].learning_rates == pytest.approx(
        {"embedding": 0.01 / 2.6**4, "lstm0": 0.01 / 2.6**3, "lstm1": 0.01 / 2.6**2, "lstm2": 0.01 / 2.6, "head": 0.01}
    )
    assert all(stage.schedule == SlantedTriangular(0.1, 32) for stage in stages)


def test_the_classifier_of_fastai_has_the_rates_of_its_tutorial():
    assert [stage.learning_rates["head"] for stage in plan("fastai")] == pytest.approx([2e-2, 1e-2, 5e-3, 1e-3])
    assert plan("fastai")[-1].learning_rates["embedding"] == pytest.approx(1e-3 / 2.6**4)
    assert all(isinstance(stage.schedule, OneCycle) for stage in plan("fastai"))


@pytest.mark.parametrize("n_layers", [3, 4])
def test_the_classifier_of_multifit_is_one_cycle_of_everything(n_layers):
    groups = [EMBEDDING, *layer_names(n_layers, "qrnn"), HEAD]
    (stage,) = CLASSIFIER_RECIPES["multifit"].stages(groups, lambda alone: 10)
    rates = list(stage.learning_rates.values())
    assert rates[-1] == pytest.approx(2e-2)
    assert rates[0] == pytest.approx(1e-2 / 2.6**4)
    assert [b / a for a, b in zip(rates, rates[1:])] == pytest.approx([rates[1] / rates[0]] * (n_layers + 1))
    assert stage.epochs == 8
    assert CLASSIFIER_RECIPES["multifit"].label_smoothing == 0.1


def test_the_language_model_of_the_paper_trains_whole_with_discriminative_rates():
    (stage,) = lm_plan("paper", lr_decay=2)
    assert stage.learning_rates == {"lstm0": 0.0005, "lstm1": 0.001, "lstm2": 0.002, "embedding": 0.004}
    assert stage.epochs == 15


@pytest.mark.parametrize(("name", "epochs"), [("fastai", 10), ("multifit", 20)])
def test_other_language_models_begin_with_the_embeddings_at_ten_times_the_rate(name, epochs):
    first, second = lm_plan(name)
    assert first.learning_rates == pytest.approx({"embedding": 0.01})
    assert second.learning_rates == pytest.approx(dict.fromkeys(["lstm0", "lstm1", "lstm2", "embedding"], 0.001))
    assert (first.epochs, second.epochs) == (1, epochs)


def test_what_is_given_takes_the_place_of_the_recipes_own():
    recipe = CLASSIFIER_RECIPES["paper"].override(epochs=7, learning_rate=0.5, batch_size="auto", weight_decay=0)
    assert recipe.phases[-1].epochs == 7
    assert recipe.phases[:-1] == CLASSIFIER_RECIPES["paper"].phases[:-1]
    assert (recipe.learning_rate, recipe.batch_size, recipe.weight_decay) == (0.5, 64, 0)


def test_automatic_epochs_fall_as_the_data_grows_but_not_below_five():
    epochs = [plan(n_updates=n)[-1].epochs for n in (2, 20, 200, 2000)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] > epochs[-1] == 5


def test_a_network_of_one_layer_has_a_plan_too():
    for recipe in CLASSIFIER_RECIPES.values():
        stages = recipe.stages([EMBEDDING, *layer_names(1), HEAD], lambda alone: 10)
        assert list(stages[-1].learning_rates) == ["embedding", "lstm0", "head"]


def test_a_recipe_is_data_that_can_be_printed():
    for recipe in [*CLASSIFIER_RECIPES.values(), *LANGUAGE_MODEL_RECIPES.values()]:
        assert recipe_module.Recipe(**vars(recipe)) == recipe
        assert recipe.schedule.__class__.__name__ in str(recipe)


@pytest.mark.parametrize("n_batches", [2, 7, 32, 300])
def test_the_quick_plan_costs_at_most_a_third_of_the_default(n_batches):
    def cost(name):  # readings: the regression's, and three for each pass forward and backward
        (stage,) = plan(name, n_batches)
        return 1 + 3 * stage.epochs

    assert cost("quick") <= cost("skulmfit") / 3


def test_the_quick_plan_leaves_a_pretrained_language_model_as_it_is():
    (stage,) = lm_plan("quick")
    assert stage.epochs == 3  # of a new one
    assert LANGUAGE_MODEL_RECIPES["quick"].least_tokens > 10**15
    assert LANGUAGE_MODEL_RECIPES["quick"].override(epochs=2).least_tokens == 0
