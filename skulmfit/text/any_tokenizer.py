"""Either kind of tokenizer, and its way back from what is stored of it."""

import json

from skulmfit.text.tokenizer import Tokenizer
from skulmfit.text.words import KEY, WordTokenizer

AnyTokenizer = Tokenizer | WordTokenizer


def load_tokenizer(model: bytes, direction: str = "forward") -> AnyTokenizer:
    """A tokenizer of what its `model` was: a SentencePiece model or a list of words."""
    if not model.startswith(b"{"):
        return Tokenizer(model, direction)
    return WordTokenizer(json.loads(model)[KEY], direction=direction)
