"""Doubts: what can be fitted, but hardly well, is said once, with what to do."""

import sys
import warnings
from collections.abc import Sequence

from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus

_MOST_FOREIGN = 0.4  # of the tokens: English text has 0 to 1 %, with many emojis 20 %; Polish 30 %, Thai 99 %
_LEAST_TOKENS = 20  # `fit(["-"])` loads a model, and says nothing of a language
_INSIDE = ("skulmfit", "sklearn", "joblib")


def warn_caller(message: str) -> None:
    """Warn of the line that calls the estimator, however deep in skulmfit and scikit-learn the doubt arises."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def doubt_language(tokenizer: AnyTokenizer, corpus: TokenCorpus) -> None:
    """Warn if a pretrained model has no pieces for what the texts are written in."""
    share = tokenizer.foreign_share(corpus)
    if share > _MOST_FOREIGN and len(corpus.ids) >= _LEAST_TOKENS:
        warn_caller(
            f"{share:.0%} of the tokens of X are single bytes or unknown words: the pretrained language model does not "
            "know their language. LMFineTuner(tokenizer='train') learns a vocabulary of these texts, pretrained=None a "
            "whole new model; or make one of this language by `python -m skulmfit.pretraining`."
        )


def doubt_rare(rare: Sequence[object]) -> None:
    """Warn if there are classes with a single text."""
    if rare:
        others = f" and of {len(rare) - 1} other classes" if len(rare) > 1 else ""
        warn_caller(
            f"y has only one text of {rare[0]!r}{others}: too few to learn a class from. Give more texts, or put rare "
            "classes together."
        )


def doubt_validation(absent: Sequence[object]) -> None:
    """Warn if the texts that early stopping sets aside lack classes."""
    if absent:
        others = f" and of {len(absent) - 1} other classes" if len(absent) > 1 else ""
        warn_caller(
            f"Early stopping sets aside no text of {absent[0]!r}{others}: the loss by which it stops says nothing "
            "about them. Give more texts, a larger validation_fraction, or X_val and y_val."
        )


def doubt_absent(absent: Sequence[object], name: str) -> None:
    """Warn if there are labels, but of some classes only phrases, those of the parameter `name`."""
    if absent:
        classes = "the class" if len(absent) == 1 else "the classes"
        what = "what it is" if len(absent) == 1 else "what they are"
        warn_caller(f"No text of y has {classes} {', '.join(map(repr, absent))}; {name} alone says {what}.")
