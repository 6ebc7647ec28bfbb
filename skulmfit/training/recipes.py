"""The recipes that have a name."""

import difflib
from collections.abc import Mapping
from dataclasses import replace

from skulmfit.nn.dropout import LM_DROPOUTS, PAPER_DROPOUTS, Dropouts
from skulmfit.training.recipe import EpochsForUpdates, Phase, Recipe
from skulmfit.training.schedules import OneCycle

_MULTIFIT_DROPOUTS = Dropouts(embedding=0.02, input=0.2, hidden=0.1, output=0.25, weight=0.15)

# The first is the default, found by measurement (docs/log.md). The others are the published ones, with what the paper
# leaves open taken from its authors' code; docs/guide/recipes.md says where they differ from their sources.
LANGUAGE_MODEL_RECIPES = {
    "skulmfit": Recipe(
        phases=(Phase("all", EpochsForUpdates(300, most=10)),), learning_rate=4e-3, lr_decay=2.6, batch_size=64,
        dropouts=LM_DROPOUTS, dropout_multiplier=0.5, weight_decay=0.01, clip=1.0, betas=(0.7, 0.99),
        alpha=2.0, beta=1.0, least_tokens=100_000,
    ),
    "paper": Recipe(
        phases=(Phase("all", 15),), learning_rate=4e-3, lr_decay=2.6, batch_size=64,
        dropouts=PAPER_DROPOUTS, dropout_multiplier=1.0, weight_decay=1e-7, clip=0.3, betas=(0.7, 0.99),
        alpha=2.0, beta=1.0,
    ),
    "fastai": Recipe(
        phases=(Phase(1, 1, rate=10.0), Phase("all", 10)), learning_rate=1e-3, lr_decay=1.0, batch_size=64,
        dropouts=LM_DROPOUTS, dropout_multiplier=1.0, weight_decay=0.1, clip=None, betas=(0.8, 0.99),
        schedule=OneCycle(), alpha=2.0, beta=1.0,
    ),
    "multifit": Recipe(
        phases=(Phase(1, 1, rate=10.0), Phase("all", 20)), learning_rate=1e-3, lr_decay=1.0, batch_size=20,
        dropouts=_MULTIFIT_DROPOUTS, dropout_multiplier=0.3, weight_decay=1e-7, clip=0.12, betas=(0.8, 0.99),
        schedule=OneCycle(), alpha=2.0, beta=1.0,
    ),
}  # fmt: skip
CLASSIFIER_RECIPES = {
    "skulmfit": Recipe(
        phases=(
            Phase(1, EpochsForUpdates(10, most=2)),
            Phase("one by one", EpochsForUpdates(10, most=2)),
            Phase("all", EpochsForUpdates(150, most=8, least=5)),
        ),
        learning_rate=2e-3, lr_decay=1.6, batch_size="auto", dropouts=PAPER_DROPOUTS, dropout_multiplier=0.2,
        weight_decay=0.01, clip=1.0, betas=(0.7, 0.99), gradual_unfreezing=False, features="auto", contrast=1.0,
    ),
    "paper": Recipe(
        phases=(Phase(1, 1), Phase("one by one", 1), Phase("all", 46)), learning_rate=0.01, lr_decay=2.6, batch_size=64,
        dropouts=PAPER_DROPOUTS, dropout_multiplier=1.0, weight_decay=1e-6, clip=25.0, betas=(0.7, 0.99),
    ),
    "fastai": Recipe(
        phases=(Phase(1, 1, rate=2.0), Phase(2, 1), Phase(3, 1, rate=0.5), Phase("all", 2, rate=0.1)),
        learning_rate=0.01, lr_decay=2.6, batch_size=64, dropouts=PAPER_DROPOUTS, dropout_multiplier=0.5,
        weight_decay=0.01, clip=None, betas=(0.8, 0.99), schedule=OneCycle(),
    ),
    "multifit": Recipe(
        phases=(Phase(1, 1), Phase("one by one", 1), Phase("all", 8)), learning_rate=0.02, lr_decay=2.6,
        lowest_rate=0.5 / 2.6**4, batch_size=18, dropouts=_MULTIFIT_DROPOUTS, dropout_multiplier=0.5,
        weight_decay=0.01, clip=0.12, betas=(0.8, 0.99), schedule=OneCycle(), label_smoothing=0.1,
        gradual_unfreezing=False,
    ),
}  # fmt: skip

# A first look: at most two epochs under a solved head, and a pretrained language model stays as it is.
_DEFAULT_LM, _DEFAULT = LANGUAGE_MODEL_RECIPES["skulmfit"], CLASSIFIER_RECIPES["skulmfit"]
LANGUAGE_MODEL_RECIPES["quick"] = replace(
    _DEFAULT_LM, phases=(Phase("all", EpochsForUpdates(100, most=3)),), least_tokens=1 << 62
)
CLASSIFIER_RECIPES["quick"] = replace(
    _DEFAULT, phases=(*_DEFAULT.phases[:-1], Phase("all", EpochsForUpdates(40, most=2))), learning_rate=4e-3
)


def find_recipe(recipe: str | Recipe, named: Mapping[str, Recipe]) -> Recipe:
    """A recipe by its name, or the recipe itself.

    Raises
    ------
    ValueError
        If no recipe has the name, or what is given is no recipe.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, str) and recipe in named:
        return named[recipe]
    close = difflib.get_close_matches(str(recipe), named, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"recipe={recipe!r} is not one of {', '.join(map(repr, named))}, nor a Recipe.{hint}")
