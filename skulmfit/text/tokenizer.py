"""SentencePiece under ULMFiT's markers: text to token ids and back to the user's characters."""

import collections
import heapq
import io
import itertools
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from skulmfit.text.rules import BOS, MARKERS, PAD, UNK, apply_rules, apply_rules_with_offsets
from skulmfit.text.token_corpus import TokenCorpus, check_direction

BOUNDARY = "▁"
_TEXTS_PER_BATCH = 4096  # bounds the Python lists that SentencePiece returns
_TRAINER_OPTIONS: dict[str, Any] = {
    "input_format": "tsv",
    "model_type": "unigram",
    "hard_vocab_limit": False,
    "byte_fallback": True,
    "character_coverage": 0.9995,
    "normalization_rule_name": "identity",  # the rules have normalised already, and know the offsets
    # A marker with its word boundary is one piece; `xxmaj` alone would cost a lone boundary piece more.
    "user_defined_symbols": [BOUNDARY + marker for marker in MARKERS],
    "split_by_unicode_script": False,  # the rules separate punctuation; don't and 's may be pieces
    **{"unk_id": 0, "unk_piece": UNK, "pad_id": 1, "pad_piece": PAD, "bos_id": 2, "bos_piece": BOS, "eos_id": -1},
    "num_threads": 2,  # of any number the same: sums are split among threads, and so are their roundings
    "minloglevel": 2,
}
_BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")
_MAX_PIECE_CHARS = 16  # SentencePiece's default limit
_MAX_SEED_WORD_CHARS = 64  # the rest of a longer word is no source of pieces
_MAX_BYTES = 4_000  # of a word; SentencePiece's limit, the count beside it included, is 4,192
_N_SEED_WORDS = 200_000
_N_SEED_PIECES = 300_000


class Tokenizer:
    """SentencePiece unigram model with byte fallback over rule-normalised text.

    Parameters
    ----------
    model : bytes
        A serialised SentencePiece model. It and the direction are all the state there is.
    direction : {"forward", "backward"}, default="forward"
        Which way texts are read: "backward" reverses the ids of each text after the first one, `xxbos`.
    """

    def __init__(self, model: bytes, direction: str = "forward"):
        check_direction(direction)
        self.model, self.direction = bytes(model), direction
        if not self.model:
            raise ValueError("This is not a SentencePiece model: it is empty")
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=self.model)
        except RuntimeError as error:
            raise ValueError("This is not a SentencePiece model, or is damaged") from error
        self.bos_id, self.unk_id = self._processor.bos_id(), self._processor.unk_id()
        self._adds_bos = self.bos_id >= 0
        if not self._adds_bos:  # fastai's models have it among their user-defined symbols
            self.bos_id = self._processor.piece_to_id(BOUNDARY + BOS)
        if self.bos_id == self.unk_id:
            raise ValueError("The SentencePiece model has no token for a text's beginning; train it with bos_id=1.")
        self.pad_id = max(self._processor.pad_id(), 0)  # padding is masked: without an id of its own, any will do
        # A model that knows no markers was trained on other texts than the rules make.
        self.applies_rules = self._processor.piece_to_id(BOUNDARY + MARKERS[0]) != self.unk_id

    @classmethod
    def train(cls, texts: Iterable[str], *, vocab_size: int = 12_000) -> "Tokenizer":
        """Learn a vocabulary of at most `vocab_size` pieces from texts; the same texts give the same bytes.

        Byte fallback takes 256 pieces and the markers a handful; a small corpus yields fewer pieces than asked for.

        Raises
        ------
        ValueError
            If `vocab_size` leaves no room for the characters of the texts.
        """
        words = collections.Counter(itertools.chain.from_iterable(apply_rules(text).split() for text in texts))
        for marker in MARKERS:
            del words[marker]
        words = _within_limit(words)
        model = io.BytesIO()
        with tempfile.TemporaryDirectory() as folder:
            seeds = Path(folder) / "seeds.tsv"
            seeds.write_text(_seed_pieces(words), encoding="utf-8")
            try:
                sentencepiece.SentencePieceTrainer.train(
                    sentence_iterator=iter([f"{word}\t{count}" for word, count in sorted(words.items())] or [".\t1"]),
                    seed_sentencepieces_file=str(seeds),
                    model_writer=model,
                    vocab_size=vocab_size,
                    **_TRAINER_OPTIONS,
                )
            except RuntimeError as error:
                needed = re.search(r"required_chars\. \d+ vs (\d+)", str(error))
                at_least = f"Give at least {needed[1]}" if needed else "Give a larger one"
                raise ValueError(
                    f"vocab_size={vocab_size} is too small for the characters of the texts, 256 bytes and the markers. "
                    f"{at_least}; texts that use many characters need several thousand."
                ) from error
            # The trainer writes the path down in the model; where a temporary folder lay is nobody's business.
            path = str(seeds).encode()
            return cls(model.getvalue().replace(path, b"-" * len(path)))

    def __len__(self) -> int:
        return self._processor.get_piece_size()

    def __repr__(self) -> str:
        return f"Tokenizer({len(self):,} pieces, {self.direction})"

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[bytes, str]]:
        return Tokenizer, (self.model, self.direction)

    @property
    def pieces(self) -> list[str]:
        """Every piece, by id."""
        return [self._processor.id_to_piece(index) for index in range(len(self))]

    def spell(self, piece: str) -> list[int]:
        """Ids of the pieces that spell a piece of another vocabulary; none where that takes single bytes."""
        if _BYTE_PIECE.fullmatch(piece):
            return []
        text = piece.replace(BOUNDARY, " ").strip()
        ids = self._processor.encode(text.lower() if self.applies_rules else text, out_type=int)
        if not piece.startswith(BOUNDARY) and ids and self._processor.id_to_piece(ids[0]) == BOUNDARY:
            ids = ids[1:]
        is_whole = not any(index == self.unk_id or self._processor.is_byte(index) for index in ids)
        return ids if is_whole else []

    def foreign_share(self, corpus: TokenCorpus) -> float:
        """Share of tokens, without `xxbos`, that are single bytes or unknown: characters that no piece has."""
        is_foreign = np.array([self._processor.is_byte(index) for index in range(len(self))])
        is_foreign[self.unk_id] = True
        return float(is_foreign[corpus.ids].sum() / max(len(corpus.ids) - len(corpus), 1))

    @property
    def identity(self) -> object:
        """What tokenizers share that give the same ids, in either direction."""
        return self.model

    def in_direction(self, direction: str) -> "Tokenizer":
        """The same tokenizer, reading in a direction."""
        return Tokenizer(self.model, direction)

    def encode(self, texts: Sequence[str], *, n_threads: int = 2) -> TokenCorpus:
        """Token ids of texts, each starting with `xxbos`."""
        batches = [
            self._encode_batch(texts[start : start + _TEXTS_PER_BATCH], n_threads)
            for start in range(0, len(texts), _TEXTS_PER_BATCH)
        ]
        corpus = TokenCorpus.concatenate(batches) if batches else TokenCorpus.from_documents([])
        return corpus.backward() if self.direction == "backward" else corpus

    def _encode_batch(self, texts: Sequence[str], n_threads: int) -> TokenCorpus:
        texts = [apply_rules(text) for text in texts] if self.applies_rules else list(texts)
        documents = self._processor.encode(texts, out_type=int, add_bos=self._adds_bos, num_threads=n_threads)
        if not self._adds_bos:
            documents = [[self.bos_id, *ids] for ids in documents]
        lengths = np.fromiter(map(len, documents), np.int64, len(documents))
        ids = np.fromiter(itertools.chain.from_iterable(documents), np.int32, lengths.sum())
        return TokenCorpus(ids, np.concatenate([[0], np.cumsum(lengths)]))

    def encode_with_offsets(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of one text, and the characters of it that each token covers.

        Returns
        -------
        ids : ndarray of shape (n_tokens,)
        spans : ndarray of shape (n_tokens, 2)
            `text[start:end]` is what the token stands for; empty for `xxbos` and for markers put before a word.
        """
        if not self.applies_rules:
            raise ValueError("Offsets need a SentencePiece model that was trained on texts with ULMFiT's markers.")
        normalised, char_spans = apply_rules_with_offsets(text)
        pieces = self._processor.encode(normalised, out_type=str)
        ids = np.array([self.bos_id, *self._processor.encode(normalised, out_type=int)], dtype=np.int32)
        spans = np.vstack([np.zeros((1, 2), np.int64), _piece_spans(pieces, normalised, char_spans)])
        if self.direction == "backward":
            ids[1:], spans[1:] = ids[:0:-1].copy(), spans[:0:-1].copy()
        return ids, spans

    def decode(self, ids: Iterable[int]) -> str:
        """Normalised text of token ids, markers included, `xxbos` left out."""
        ids = [int(index) for index in ids]
        return self._processor.decode(ids[::-1] if self.direction == "backward" else ids)


def _piece_spans(pieces: Sequence[str], normalised: str, char_spans: np.ndarray) -> np.ndarray:
    """Where each piece came from, shape (n_pieces, 2), given where each normalised character came from.

    Pieces are matched to characters by bytes: a piece such as `<0xE6>` is one byte, and stands for the whole character
    that the byte is part of. The boundary before a word is no part of its span.
    """
    marked = (BOUNDARY + normalised).replace(" ", BOUNDARY)
    spans = np.concatenate([np.zeros((1, 2), np.int64), char_spans])
    char_of_byte = np.repeat(np.arange(len(marked)), [len(char.encode()) for char in marked])
    n_bytes = np.array([1 if _BYTE_PIECE.fullmatch(piece) else len(piece.encode()) for piece in pieces], dtype=int)
    ends = np.cumsum(n_bytes)
    first, last = char_of_byte[ends - n_bytes], char_of_byte[ends - 1]
    is_boundary = np.array([char == BOUNDARY for char in marked])
    first = np.where(is_boundary[first] & (first < last), first + 1, first)
    return np.stack([spans[first, 0], spans[last, 1]], axis=1)


def _within_limit(words: collections.Counter[str]) -> collections.Counter[str]:
    """The words, the longest ones in parts: the trainer drops what is longer than its limit."""
    parts: collections.Counter[str] = collections.Counter()
    for word, count in words.items():
        length = len(word) if len(word.encode()) <= _MAX_BYTES else _MAX_BYTES // 4  # characters have up to 4 bytes
        for start in range(0, len(word), length):
            parts[word[start : start + length]] += count
    return parts


def _seed_pieces(words: collections.Counter[str]) -> str:
    """Candidate pieces for the trainer, one `piece<TAB>frequency` a line: the frequent substrings of words.

    SentencePiece's own seeds count every distinct word once, however frequent it is, so that `been`, which is part of
    no other word, would not even be considered.
    """
    substrings: collections.Counter[str] = collections.Counter()
    for word, count in words.most_common(_N_SEED_WORDS):
        marked = BOUNDARY + word[:_MAX_SEED_WORD_CHARS]
        for start in range(len(marked)):
            for end in range(start + 1, min(start + _MAX_PIECE_CHARS, len(marked)) + 1):
                substrings[marked[start:end]] += count
    chars = [piece for piece in substrings if len(piece) == 1]
    longer = [piece for piece, count in substrings.items() if len(piece) > 1 and count > 1]
    longer = heapq.nlargest(_N_SEED_PIECES, longer, key=lambda piece: (substrings[piece] * len(piece), piece))
    return "".join(f"{piece}\t{substrings[piece]}\n" for piece in chars + longer)
