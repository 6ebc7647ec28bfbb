"""Stages and recipes: which layers train when, and how fast. Plain data and pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

HEAD, EMBEDDING = "head", "embedding"

# "auto" epochs aim at a number of updates, so that 100 documents are not left with a handful and 25,000 do not take
# all day. Found by measurement, see docs/benchmarks.md.
LM_UPDATES, MAX_LM_EPOCHS = 150, 10
HEAD_UPDATES, MAX_HEAD_EPOCHS = 200, 50
UNFREEZING_UPDATES, MAX_UNFREEZING_EPOCHS = 10, 2
CLASSIFIER_UPDATES, MAX_CLASSIFIER_EPOCHS = 150, 20


@dataclass(frozen=True)
class Stage:
    """One run of a schedule over the data.

    Parameters
    ----------
    name : str
    learning_rates : dict of str to float
        Peak rate of each layer group that trains; groups that are not named are frozen.
    epochs : int
    cut_frac, ratio : float
        Shape of the slanted triangular schedule.
    """

    name: str
    learning_rates: dict[str, float]
    epochs: int
    cut_frac: float = 0.1
    ratio: float = 32.0


def layer_names(n_layers: int) -> list[str]:
    """Names of the LSTM layers' groups, first to last."""
    return [f"lstm{index}" for index in range(n_layers)]


def discriminative_rates(groups: Sequence[str], learning_rate: float, decay: float) -> dict[str, float]:
    """Rate of each group, lowest layer first: the last gets `learning_rate`, each one below `decay` times less.

    Howard & Ruder 2018, section 3.2.

    Examples
    --------
    >>> discriminative_rates(["lstm0", "lstm1", "head"], 0.01, decay=2)
    {'lstm0': 0.0025, 'lstm1': 0.005, 'head': 0.01}
    """
    return {group: learning_rate / decay ** (len(groups) - 1 - index) for index, group in enumerate(groups)}


def language_model_stages(
    n_layers: int, n_updates: int, *, epochs: int | str, learning_rate: float, lr_decay: float
) -> list[Stage]:
    """Stages of language-model fine-tuning: one, of the whole network.

    `n_updates` is the number of updates in an epoch; `epochs="auto"` aims at `LM_UPDATES` of them.
    """
    n_epochs = _epochs_for(n_updates, LM_UPDATES, MAX_LM_EPOCHS) if isinstance(epochs, str) else epochs
    groups = [*layer_names(n_layers), EMBEDDING]
    return [Stage("language model", discriminative_rates(groups, learning_rate, lr_decay), n_epochs)]


def classifier_batch_size(n_documents: int) -> int:
    """Documents per update: enough updates for few documents, enough speed for many.

    >>> [classifier_batch_size(n) for n in (50, 500, 5_000, 50_000)]
    [16, 16, 62, 64]
    """
    return min(max(n_documents // 80, 16), 64)


def classifier_stages(
    n_layers: int,
    n_updates: int,
    n_head_updates: int,
    *,
    epochs: int | str,
    learning_rate: float,
    lr_decay: float,
    gradual_unfreezing: bool,
) -> list[Stage]:
    """Stages of the classifier: the head, then one more layer group at a time, then everything.

    Howard & Ruder 2018, section 3.3, with one difference: the head trains on states computed once, and so for as many
    epochs as it needs. `n_updates` is the number of updates in an epoch, `n_head_updates` that of the head alone.
    """
    groups = [EMBEDDING, *layer_names(n_layers), HEAD]
    rates = discriminative_rates(groups, learning_rate, lr_decay)
    n_epochs = _epochs_for(n_updates, CLASSIFIER_UPDATES, MAX_CLASSIFIER_EPOCHS) if isinstance(epochs, str) else epochs
    stages = [Stage("head", {HEAD: rates[HEAD]}, _epochs_for(n_head_updates, HEAD_UPDATES, MAX_HEAD_EPOCHS))]
    if gradual_unfreezing:
        for index in range(len(groups) - 2, 0, -1):
            n = _epochs_for(n_updates, UNFREEZING_UPDATES, MAX_UNFREEZING_EPOCHS)
            stages.append(Stage(f"from {groups[index]}", {group: rates[group] for group in groups[index:]}, n))
    return [*stages, Stage("all layers", rates, n_epochs)]


def _epochs_for(n_updates: int, wanted: int, most: int) -> int:
    """Epochs that come nearest to the wanted number of updates, between one and `most`."""
    return min(max(round(wanted / n_updates), 1), most)
