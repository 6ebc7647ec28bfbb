"""The texts of one fit: checked once, and encoded once by each tokenizer."""

from collections.abc import Callable

import numpy as np

from skulmfit.nn.threads import n_threads
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus


def _encode(tokenizer: AnyTokenizer, texts: list[str]) -> TokenCorpus:
    return tokenizer.encode(texts, n_threads=n_threads())


class FitTexts:
    """Checked texts, and what tokenizers have made of them. Both halves of a fit and both directions ask for the same.

    Parameters
    ----------
    texts : list of str
    encode : callable
        Gives the corpus of a tokenizer and texts.
    """

    def __init__(self, texts: list[str], encode: Callable[[AnyTokenizer, list[str]], TokenCorpus] = _encode):
        self.texts, self._encode = texts, encode
        self._forward: dict[object, TokenCorpus] = {}

    def encoded_by(self, tokenizer: AnyTokenizer) -> TokenCorpus:
        """The corpus of a tokenizer, in the direction that it reads."""
        is_backward = tokenizer.direction == "backward"
        if tokenizer.identity not in self._forward:
            corpus = self._encode(tokenizer, self.texts)
            self._forward[tokenizer.identity] = corpus.backward() if is_backward else corpus
        corpus = self._forward[tokenizer.identity]
        return corpus.backward() if is_backward else corpus

    def take(self, rows: np.ndarray) -> "FitTexts":
        """Some of the texts, which are not encoded again."""
        if len(rows) == len(self.texts):
            return self
        texts = [self.texts[row] for row in rows]
        return FitTexts(texts, lambda tokenizer, texts: self.encoded_by(tokenizer).take(rows))
