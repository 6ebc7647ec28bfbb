"""Doubts: what can be fitted, but hardly well, is said once, with what to do."""

import warnings
from collections.abc import Sequence

from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus

_MOST_FOREIGN = 0.4  # of the tokens: English text has 0 to 1 %, with many emojis 20 %; Polish 30 %, Thai 99 %
_LEAST_TOKENS = 20  # `fit(["-"])` loads a model, and says nothing of a language
_STACKLEVEL = 5  # the line that calls `fit`


def doubt_language(tokenizer: AnyTokenizer, corpus: TokenCorpus) -> None:
    """Warn if a pretrained model has no pieces for what the texts are written in."""
    share = tokenizer.foreign_share(corpus)
    if share > _MOST_FOREIGN and len(corpus.ids) >= _LEAST_TOKENS:
        warnings.warn(
            f"{share:.0%} of the tokens of X are single bytes or unknown words: the pretrained language model does not "
            "know their language. LMFineTuner(tokenizer='train') learns a vocabulary of these texts, pretrained=None a "
            "whole new model; or make one of this language by `python -m skulmfit.pretraining`.",
            stacklevel=_STACKLEVEL,
        )


def doubt_rare(rare: Sequence[object]) -> None:
    """Warn if there are classes with a single text."""
    if rare:
        others = f" and of {len(rare) - 1} other classes" if len(rare) > 1 else ""
        warnings.warn(
            f"y has only one text of {rare[0]!r}{others}: too few to learn a class from. Give more texts, or put rare "
            "classes together.",
            stacklevel=_STACKLEVEL,
        )


def doubt_validation(absent: Sequence[object]) -> None:
    """Warn if the texts that early stopping sets aside lack classes."""
    if absent:
        others = f" and of {len(absent) - 1} other classes" if len(absent) > 1 else ""
        warnings.warn(
            f"Early stopping sets aside no text of {absent[0]!r}{others}: the loss by which it stops says nothing "
            "about them. Give more texts, a larger validation_fraction, or X_val and y_val.",
            stacklevel=_STACKLEVEL,
        )
