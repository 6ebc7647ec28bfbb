"""Word-level vocabularies: those of the first ULMFiT checkpoints, and those of a user's own tokenizer."""

import itertools
import json
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from typing import Any

from skulmfit.text.rules import BOS, MARKERS, PAD, REPEATED_CHAR, REPEATED_WORD, RULES, UNK, UPPER_CASE, apply_rules
from skulmfit.text.token_corpus import TokenCorpus, check_direction
from skulmfit.text.tokenizer import BOUNDARY

KEY = "words"
# What other libraries call the three tokens that every vocabulary here has.
SYNONYMS = {"_unk_": UNK, "<unk>": UNK, "_pad_": PAD, "<pad>": PAD, "_bos_": BOS, "<s>": BOS}
SYNONYMS |= {"xbos": BOS}  # fastai 0.7
SYNONYMS |= {"t_up": UPPER_CASE, "tk_rep": REPEATED_CHAR, "tk_wrep": REPEATED_WORD}
_ENDS = ("xxeos", "</s>", "_eos_", "eos")  # stand for a beginning that a vocabulary has no token for
_CLITIC = re.compile(r"(?<=\w)(n't|'(?:s|re|ve|ll|d|m))\b")  # spaCy's words: do n't, it 's


class WordTokenizer:
    """A fixed list of words; what is not in it is `xxunk`.

    Parameters
    ----------
    words : sequence of str
        Every word by id; `xxunk`, `xxpad` and `xxbos`, or what fastai 0.7 and SentencePiece call them, among them;
        instead of `xxbos` a token for the end will do. Of a word that stands there twice the first one counts.
    split : callable, optional
        From a text to its words. By default as fastai does it: ULMFiT's rules, clitics such as n't apart, and no marker
        that the vocabulary has not.
    direction : {"forward", "backward"}, default="forward"
        Which way texts are read: "backward" reverses the ids of each text after the first one, `xxbos`.
    """

    def __init__(
        self, words: Sequence[str], split: Callable[[str], Iterable[str]] | None = None, direction: str = "forward"
    ):
        check_direction(direction)
        self.words, self.split, self.direction = list(words), split, direction
        self._ids: dict[str, int] = {}
        for index, word in enumerate(self.words):
            self._ids.setdefault(SYNONYMS.get(word, word), index)
        end = next((word for word in _ENDS if word in self._ids), None)
        if BOS not in self._ids and end is not None:
            self._ids[BOS] = self._ids[end]
        missing = [word for word in (UNK, PAD, BOS) if word not in self._ids]
        if missing:
            raise ValueError(f"The vocabulary has no {', '.join(missing)}, nor a synonym of it.")
        self._rules = [rule for rule in RULES if rule.marker is None or rule.marker in self._ids]
        self.unk_id, self.pad_id, self.bos_id = (self._ids[word] for word in (UNK, PAD, BOS))

    @classmethod
    def train(cls, texts: Iterable[str], split: Callable[[str], Iterable[str]], *, vocab_size: int) -> "WordTokenizer":
        """The most frequent words of texts that occur at least twice."""
        counts = Counter(itertools.chain.from_iterable(_checked_words(split, text) for text in texts))
        frequent = [word for word, count in counts.most_common() if count > 1 and word not in (UNK, PAD, BOS)]
        return cls([UNK, PAD, BOS, *frequent[: max(vocab_size - 3, 0)]], split)

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        return f"WordTokenizer({len(self):,} words, {self.direction})"

    def __reduce__(self) -> tuple[type["WordTokenizer"], tuple[Any, ...]]:
        return WordTokenizer, (self.words, self.split, self.direction)

    @property
    def model(self) -> bytes:
        """The list of words, as it is stored in files.

        Raises
        ------
        ValueError
            If texts are split by a function of the user's, which a file cannot hold.
        """
        if self.split is not None:
            raise ValueError(
                f"A language model whose texts are split by {self.split!r} cannot be stored in a file without code; "
                "pickle the estimator instead."
            )
        return json.dumps({KEY: self.words}).encode()

    @property
    def pieces(self) -> list[str]:
        """Every word, by id, in the spelling of SentencePiece: with the boundary before it."""
        specials = {UNK, PAD, BOS}
        words = [SYNONYMS.get(word, word) for word in self.words]
        return [word if word in specials else BOUNDARY + word for word in words]

    def spell(self, piece: str) -> list[int]:
        """Ids that spell a piece: none, since words have no parts."""
        return []

    @property
    def applies_rules(self) -> bool:
        """Whether texts are normalised by ULMFiT's rules."""
        return self.split is None

    def foreign_share(self, corpus: TokenCorpus) -> float:
        """Share of tokens, without `xxbos`, that are unknown words."""
        return float((corpus.ids == self.unk_id).sum() / max(len(corpus.ids) - len(corpus), 1))

    @property
    def identity(self) -> object:
        """What tokenizers share that give the same ids, in either direction."""
        return tuple(self.words), self.split

    def in_direction(self, direction: str) -> "WordTokenizer":
        """The same tokenizer, reading in a direction."""
        return WordTokenizer(self.words, self.split, direction)

    def encode(self, texts: Sequence[str], *, n_threads: int = 1) -> TokenCorpus:
        """Token ids of texts, each starting with `xxbos`."""
        split = self._split if self.split is None else partial(_checked_words, self.split)
        documents = [[self.bos_id, *(self._ids.get(word, self.unk_id) for word in split(text))] for text in texts]
        corpus = TokenCorpus.from_documents(documents)
        return corpus.backward() if self.direction == "backward" else corpus

    def _split(self, text: str) -> list[str]:
        words = _CLITIC.sub(r" \1", apply_rules(text, self._rules)).split()
        return [word for word in words if word in self._ids or word not in MARKERS]

    def decode(self, ids: Iterable[int]) -> str:
        """Normalised text of token ids, markers included, `xxbos` left out."""
        words = [self.words[index] for index in ids if index != self.bos_id]
        return " ".join(words[::-1] if self.direction == "backward" else words)


def _checked_words(split: Callable[[str], Iterable[str]], text: str) -> list[str]:
    """The words of a text, if that is what the user's function returns: in an order, which sets and dicts have not."""
    words: Any = split(text)
    words = list(words) if isinstance(words, Iterable) and not isinstance(words, str | Mapping | Set) else words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError(
            f"tokenizer must return the words of a text, a list of str; of {text[:40]!r} it made {reprlib.repr(words)}."
        )
    return words
