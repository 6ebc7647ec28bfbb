"""LMFineTuner: a language model fine-tuned on texts, and its hidden states as features."""

import copy
import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skulmfit.base import POOLINGS, TextEstimator, check_device, n_threads
from skulmfit.callbacks import FitTasks
from skulmfit.compat import with_callbacks
from skulmfit.nn.awd_lstm import AWDLSTM, KINDS, Architecture
from skulmfit.nn.heads import LanguageModel
from skulmfit.pretrained.language_model import LanguageModelData
from skulmfit.pretrained.registry import load_pretrained
from skulmfit.text.batches import n_streams
from skulmfit.text.corpus import TokenCorpus
from skulmfit.text.rules import restore
from skulmfit.text.tokenizer import DIRECTIONS, Tokenizer
from skulmfit.text.vocabulary import Transfer
from skulmfit.text.words import AnyTokenizer, WordTokenizer
from skulmfit.training.generation import generate
from skulmfit.training.inference import log_likelihoods
from skulmfit.training.language_model import LanguageModelTask, language_model_groups
from skulmfit.training.loop import Monitor, Observer, OptimizerSettings, train
from skulmfit.training.progress import Progress
from skulmfit.training.recipes import LANGUAGE_MODEL_RECIPES, Recipe
from skulmfit.training.runtime import Runtime
from skulmfit.training.stages import Stage
from skulmfit.validation import check_choice, check_epochs, check_number, check_number_or_auto


class LMFineTuner(TextEstimator):
    """Fine-tune a pretrained language model on texts; transform texts to its pooled hidden states.

    The first half of ULMFiT. On its own it turns texts into features for any scikit-learn estimator; inside
    `ULMFiTClassifier` it is the language-model stage.

    Parameters
    ----------
    pretrained : str, path, pair of these, or None, default="en"
        Name of a language model in the package, path of one made by `python -m skulmfit.pretraining`, or None to train
        tokenizer and network from scratch on the texts given to `fit`. In the package are "en", taught by a sentence
        encoder, and "en-lm", which has learnt from text alone. For both directions, a forward and a backward model.
    tokenizer : None, "train", path or callable, default=None
        None keeps the tokenizer of the pretrained model. Another vocabulary takes over the embeddings of the pieces
        that both have, see `vocab_transfer_`: "train" learns a SentencePiece model from the texts given to `fit`, a
        path is that of a SentencePiece model of yours, and a callable splits a text into words.
    direction : {"forward", "backward", "both"}, default="forward"
        Which way texts are read. "both" fits two independent language models: `transform` puts their states side by
        side, and an estimator above them averages what it makes of each. Each is in `directions_`.
    recipe : {"skulmfit", "paper", "fastai", "multifit"}, default="skulmfit"
        What every parameter that is "auto" takes its value from: our own, found by measurement, or a published one. The
        numbers in brackets below are those of the default.
    epochs : int or "auto", default="auto"
        Passes over the texts in which the whole network trains (as many as make about 300 updates, at most 10); 0
        keeps the language model as it is. Much text is read once or twice only, to save time: 5 are better.
    learning_rate : float or "auto", default="auto"
        Peak learning rate (4e-3); stages of a recipe may multiply it.
    lr_decay : float or "auto", default="auto"
        How much slower each LSTM layer learns than the one above it; the embeddings, which are the decoder too, learn
        fastest (2.6).
    batch_size : int or "auto", default="auto"
        Number of parallel streams the texts are cut into (64); fewer where there is little text.
    bptt : int, default=70
        Mean number of tokens through which gradients flow back.
    dropout_multiplier : float or "auto", default="auto"
        Factor on all of AWD-LSTM's dropouts (0.5).
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay (0.01).
    early_stopping : bool, default=False
        Whether to set aside part of the texts, stop when the loss on them no longer falls, and keep the weights that
        did best on them.
    validation_fraction : float, default=0.1
        Share of the texts set aside for early stopping.
    n_iter_no_change : int, default=2
        Epochs without improvement after which early stopping ends the training.
    pooling : {"concat", "last", "max", "mean"}, default="concat"
        What `transform` returns of the hidden states: the last one, their maximum, their mean, or all three.
    vocab_size : int, default=12000
        At most so many pieces in a vocabulary learnt from the texts.
    architecture : {"lstm", "qrnn"}, default="lstm"
        Kind of recurrent layers of a new network, with `pretrained=None` only. QRNNs take more layers to be as good.
    embedding_dim, hidden_dim, n_layers : int, default=256, 640, 3
        Size of a new network; with `pretrained=None` only.
    device : str, default="auto"
        Where to compute: "auto" takes a GPU where there is one, else the CPU.
    random_state : int, RandomState or None, default=None
        Seed of everything random. The same int gives the same bits on the same machine with
        the same number of threads.
    verbose : int, default=0
        1 shows progress.

    Attributes
    ----------
    history_ : list of dict
        One row per epoch: stage, epoch, loss in nats per piece, seconds.
    recipe_ : Recipe
        The recipe with the parameters given in place of its own.
    stages_ : list of Stage
        The resolved plan: which layers trained at which rate for how many epochs.
    n_iter_ : int
        Number of epochs trained.
    vocab_size_ : int
        Number of pieces of the tokenizer.
    vocab_transfer_ : dict
        How many pieces of another tokenizer were `kept` from the vocabulary of the pretrained model, `spelled` by its
        pieces, or `new`, and what share of the tokens of the texts are kept ones: `coverage`. Only where there was one.
    directions_ : dict of str to LMFineTuner
        The fitted forward and backward one; with `direction="both"` only.
    n_features_out_ : int
        Width of what `transform` returns.

    See Also
    --------
    ULMFiTClassifier : The whole method; takes an `LMFineTuner` as `lm`.

    References
    ----------
    J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018, section 3.2.

    Examples
    --------
    >>> from skulmfit import LMFineTuner
    >>> texts = ["a fine film", "a dull film", "fine acting", "dull acting"]
    >>> lm = LMFineTuner(pretrained=None, vocab_size=300, embedding_dim=8, hidden_dim=8, epochs=1, random_state=0)
    >>> lm.fit_transform(texts).shape
    (4, 24)
    """

    def __init__(
        self,
        pretrained="en",
        *,
        tokenizer=None,
        direction="forward",
        recipe="skulmfit",
        epochs="auto",
        learning_rate="auto",
        lr_decay="auto",
        batch_size="auto",
        bptt=70,
        dropout_multiplier="auto",
        weight_decay="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=2,
        pooling="concat",
        vocab_size=12_000,
        architecture="lstm",
        embedding_dim=256,
        hidden_dim=640,
        n_layers=3,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.pretrained = pretrained
        self.tokenizer = tokenizer
        self.direction = direction
        self.recipe = recipe
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.bptt = bptt
        self.dropout_multiplier = dropout_multiplier
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.pooling = pooling
        self.vocab_size = vocab_size
        self.architecture = architecture
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        self.n_layers = n_layers
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X, y=None, *, X_val=None):
        """Fine-tune the language model on texts.

        Parameters
        ----------
        X : iterable of str
        y : ignored
        X_val : iterable of str, optional
            Texts to measure the loss on after every epoch, in place of a share of X: training ends when it stops
            improving, and the weights that did best are kept.

        Returns
        -------
        self : LMFineTuner
        """
        self._check_parameters()
        texts = self._check_texts(X, reset=True)
        held_out_texts = [] if X_val is None else self._check_texts(X_val, reset=False)
        tasks = FitTasks(self, texts, y)
        if self.direction == "both":
            members = self._checked_members()
            self._fit_members(members, tasks, lambda member: member.fit(texts, X_val=held_out_texts or None))
            return self
        seed, runtime = self._draw_seed(), self._runtime()
        with runtime.seeded(seed):
            data, transfer = self._starting_point(texts)
            recipe = self._resolved_recipe()
            network = data.build(recipe.dropouts * recipe.dropout_multiplier).to(runtime.device)
            corpus = data.tokenizer.encode(texts, n_threads=n_threads())
            held_out = data.tokenizer.encode(held_out_texts, n_threads=n_threads()) if held_out_texts else None
            rng, pad_id = np.random.default_rng(seed), data.tokenizer.pad_id
            tasks.snapshot = lambda: _fitted(data, copy.deepcopy(network), recipe) | {"directions_": {}}
            run = self._train(network, recipe, corpus, held_out, pad_id, runtime, rng, tasks)
        # Nothing of an earlier fit is touched before this one has come to its end.
        for name in ("directions_", "vocab_transfer_"):
            self.__dict__.pop(name, None)
        self.__dict__.update(_fitted(data, network, recipe, *run))
        if transfer is not None:
            self.vocab_transfer_ = transfer.report(corpus.ids)
        tasks.end()
        return self

    def _checked_members(self) -> dict[str, "LMFineTuner"]:
        """An unfitted copy for each of two directions, once it is sure that both have a model to start from."""
        self._check_parameters()
        members = {name: self._single(name) for name in DIRECTIONS}
        for member in members.values():
            member._check_parameters()
            member._pretrained_model()
        return members

    def _single(self, direction: str) -> "LMFineTuner":
        """An unfitted copy for one of two directions."""
        pair = dict(zip(DIRECTIONS, self.pretrained)) if isinstance(self.pretrained, tuple | list) else {}
        pretrained = pair.get(direction, self.pretrained)
        return clone(self).set_params(direction=direction, pretrained=pretrained)

    def _check_parameters(self) -> None:
        if self.epochs != 0 or isinstance(self.epochs, bool):
            check_epochs(self.epochs)
        check_choice(self.recipe, "recipe", LANGUAGE_MODEL_RECIPES)
        check_number_or_auto(self.learning_rate, "learning_rate", Real, low=0, bounds="neither")
        check_number_or_auto(self.lr_decay, "lr_decay", Real, low=1)
        check_number_or_auto(self.batch_size, "batch_size", Integral, low=1)
        check_number(self.bptt, "bptt", Integral, low=5)
        check_number_or_auto(self.dropout_multiplier, "dropout_multiplier", Real, low=0)
        check_number_or_auto(self.weight_decay, "weight_decay", Real, low=0)
        check_choice(self.early_stopping, "early_stopping", (True, False))
        check_number(self.validation_fraction, "validation_fraction", Real, low=0, high=1, bounds="neither")
        check_number(self.n_iter_no_change, "n_iter_no_change", Integral, low=1)
        check_choice(self.pooling, "pooling", ("concat", *POOLINGS))
        check_choice(self.architecture, "architecture", KINDS)
        for name in ("vocab_size", "embedding_dim", "hidden_dim", "n_layers"):
            check_number(getattr(self, name), name, Integral, low=1)
        check_number(self.verbose, "verbose", Integral, low=0)
        check_device(self.device)
        if not (self.tokenizer is None or callable(self.tokenizer) or isinstance(self.tokenizer, str | os.PathLike)):
            raise TypeError(f"tokenizer must be None, 'train', a path or a callable, got {self.tokenizer!r}.")
        check_choice(self.direction, "direction", (*DIRECTIONS, "both"))
        is_pair = isinstance(self.pretrained, tuple | list) and len(self.pretrained) == 2 and self.direction == "both"
        for pretrained in self.pretrained if is_pair else [self.pretrained]:
            if not isinstance(pretrained, str | os.PathLike | None):
                raise TypeError(
                    f"pretrained must be a name, a path or None, or with direction='both' a pair of them; got "
                    f"{self.pretrained!r}."
                )

    def _starting_point(self, texts: list[str]) -> tuple[LanguageModelData, Transfer | None]:
        """The language model to fine-tune, and how its embeddings were moved to another vocabulary, if they were."""
        data = self._pretrained_model()
        tokenizer = self._own_tokenizer(texts)
        if data is not None:
            return (data, None) if tokenizer is None else data.with_tokenizer(tokenizer)
        tokenizer = tokenizer or self._trained_tokenizer(texts)
        sizes = (self.embedding_dim, self.hidden_dim, self.n_layers)
        architecture = Architecture(len(tokenizer), *sizes, kind=self.architecture)
        return LanguageModelData.from_module(LanguageModel(AWDLSTM(architecture)), tokenizer, {}), None

    def _pretrained_model(self) -> LanguageModelData | None:
        """The language model to start from, if there is one."""
        if self.pretrained is None:
            return None
        data = load_pretrained(self.pretrained, self.direction)
        if self.architecture == "qrnn" and data.architecture.kind == "lstm":
            raise ValueError(
                f"architecture='qrnn' is for a new network, but pretrained={self.pretrained!r} has LSTM layers. Give "
                "pretrained=None, or the path of a QRNN."
            )
        return data

    def _own_tokenizer(self, texts: list[str]) -> AnyTokenizer | None:
        """The tokenizer that the user wants instead of the pretrained model's."""
        if self.tokenizer is None:
            return None
        if self.tokenizer == "train":
            return self._trained_tokenizer(texts)
        if callable(self.tokenizer):
            return WordTokenizer.train(texts, self.tokenizer, vocab_size=self.vocab_size).turned(self.direction)
        path = Path(self.tokenizer)
        if not path.is_file():
            raise ValueError(
                f"tokenizer={os.fspath(path)!r} is no file. Give the path of a SentencePiece model, 'train', a "
                "callable that splits a text into words, or None."
            )
        return Tokenizer(path.read_bytes(), self.direction)

    def _trained_tokenizer(self, texts: list[str]) -> Tokenizer:
        return Tokenizer.train(texts, vocab_size=self.vocab_size).turned(self.direction)

    def _resolved_recipe(self) -> Recipe:
        names = ("epochs", "learning_rate", "lr_decay", "batch_size", "dropout_multiplier", "weight_decay")
        return LANGUAGE_MODEL_RECIPES[self.recipe].override(**{name: getattr(self, name) for name in names})

    def _train(
        self,
        network: LanguageModel,
        recipe: Recipe,
        corpus: TokenCorpus,
        held_out: TokenCorpus | None,
        pad_id: int,
        runtime: Runtime,
        rng: np.random.Generator,
        observer: Observer,
    ) -> tuple[list[Stage], list[dict], bool]:
        """Fine-tune a network; its plan, its history, and whether the user interrupted."""
        if held_out is None:
            corpus, held_out = self._split(corpus, rng)
        task = LanguageModelTask(
            network, corpus, runtime, rng, batch_size=n_streams(len(corpus.ids), recipe.batch_size, self.bptt),
            bptt=self.bptt, alpha=recipe.alpha, beta=recipe.beta, held_out=held_out, pad_id=pad_id,
        )  # fmt: skip
        if self.epochs == 0 or task.n_batches() == 0:
            return [], [], False
        groups = language_model_groups(network)
        stages = recipe.stages(list(groups), lambda alone: task.n_batches(), whole="language model")
        progress = Progress(self.verbose, stages)
        monitor = Monitor(patience=self.n_iter_no_change, on_step=progress.on_step, observer=observer)
        finished = train(
            network, groups, [(stage, task) for stage in stages],
            settings=OptimizerSettings(recipe.betas, recipe.weight_decay, recipe.clip), runtime=runtime, rng=rng,
            monitor=monitor,
        )  # fmt: skip
        progress.close()
        return stages, monitor.history, not finished

    def _split(self, corpus: TokenCorpus, rng: np.random.Generator) -> tuple[TokenCorpus, TokenCorpus | None]:
        """Texts to train on, and texts set aside for early stopping."""
        if not self.early_stopping:
            return corpus, None
        n_held_out = int(np.ceil(self.validation_fraction * len(corpus)))
        if n_held_out == len(corpus):
            raise ValueError(f"early_stopping=True leaves none of {len(corpus)} texts to train on.")
        order = rng.permutation(len(corpus))
        return corpus.take(np.sort(order[n_held_out:])), corpus.take(order[:n_held_out])

    def _build_network(self) -> LanguageModel:
        return LanguageModel(AWDLSTM(self._architecture))

    def language_model(self) -> LanguageModelData:
        """The fine-tuned language model as plain data; of two directions, ask each in `directions_`."""
        if self._members():
            raise ValueError("There are two language models; take directions_['forward'] or directions_['backward'].")
        return LanguageModelData.from_module(self._network, self._tokenizer, {})

    def transform(self, X):
        """Pooled hidden states of texts.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_features_out_), float32
            One row per text, in the order given; a text's row does not depend on the other texts.
        """
        if members := self._members():
            texts = self._check_texts(X, reset=False)
            return np.hstack([member.transform(texts) for member in members])
        pooled = self._document_outputs(X)
        if self.pooling == "concat":
            return pooled
        start = POOLINGS.index(self.pooling) * self._architecture.embedding_dim
        return np.ascontiguousarray(pooled[:, start : start + self._architecture.embedding_dim])

    def score(self, X, y=None) -> float:
        """Mean log-likelihood of texts in nats per piece; higher is better. Of two directions, the mean.

        Parameters
        ----------
        X : iterable of str
        y : ignored

        Returns
        -------
        float
        """
        sums, n_pieces = self._log_likelihoods(X)
        return float(sums.sum() / max(n_pieces.sum(), 1))

    def perplexity(self, X) -> float:
        """Perplexity of texts per piece: exp(-score); lower is better.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        float
        """
        return float(np.exp(-self.score(X)))

    def score_samples(self, X) -> np.ndarray:
        """Log-likelihood of every text in nats, summed over its pieces; texts unlike those of `fit` score low.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,), float64
        """
        return self._log_likelihoods(X)[0]

    def _log_likelihoods(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood of every text, and over how many pieces it is a sum; of two directions, their means."""
        members, texts = self._members(), self._check_texts(X, reset=False)
        if members:
            both = [member._log_likelihoods(texts) for member in members]
            return np.mean([sums for sums, _ in both], axis=0), np.mean([n for _, n in both], axis=0)
        sums, n_pieces = np.empty(len(texts)), np.empty(len(texts), np.int64)
        for block, corpus in self._encoded_blocks(texts):
            sums[block] = log_likelihoods(
                self._network, corpus, self._runtime(), pad_id=self._tokenizer.pad_id, verbose=self.verbose
            )
            n_pieces[block] = corpus.lengths - 1
        return sums, n_pieces

    def generate(self, prompt="", *, n_tokens=100, temperature=0.8, top_k=None, top_p=0.95, random_state=None) -> str:
        """Let the language model continue a text: the quickest way to see what it has learnt.

        Parameters
        ----------
        prompt : str, default=""
            How the text begins.
        n_tokens : int, default=100
            At most so many pieces are added; fewer where the language model ends the text.
        temperature : float, default=0.8
            Below 1 the probable becomes more so; 0 always takes the most probable piece.
        top_k : int or None, default=None
            Choose among so many pieces at a time.
        top_p : float or None, default=0.95
            Choose among the most probable pieces that make up so much of the probability.
        random_state : int, RandomState or None, default=None
            Seed of the choices.

        Returns
        -------
        str
            The prompt and what follows it, as far as the tokenizer tells texts apart: one kind of quotes and dashes,
            single spaces, single capital letters lowered.

        Examples
        --------
        >>> from skulmfit import LMFineTuner
        >>> lm = LMFineTuner(epochs=0).fit(["-"])
        >>> lm.generate("The largest city of the United", n_tokens=2, temperature=0)
        'The largest city of the United States'
        """
        check_is_fitted(self)
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a str, got {prompt!r}.")
        check_number(n_tokens, "n_tokens", Integral, low=1)
        check_number(temperature, "temperature", Real, low=0)
        if top_k is not None:
            check_number(top_k, "top_k", Integral, low=1)
        if top_p is not None:
            check_number(top_p, "top_p", Real, low=0, high=1, bounds="right")
        if self._members():
            return self.directions_["forward"].generate(
                prompt, n_tokens=n_tokens, temperature=temperature, top_k=top_k, top_p=top_p, random_state=random_state
            )
        tokenizer = self._tokenizer
        if tokenizer.direction == "backward":
            raise ValueError("generate needs a language model that reads forward; this one reads backward.")
        ids = tokenizer.encode([prompt])[0]
        rng = np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        new = generate(
            self._network, ids, n_tokens, rng, self._runtime(), temperature=temperature, top_k=top_k, top_p=top_p,
            stop_id=tokenizer.bos_id, never=(tokenizer.unk_id, tokenizer.pad_id),
        )  # fmt: skip
        text = tokenizer.decode([*ids[1:], *new])
        return restore(text) if tokenizer.applies_rules else text

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of `transform`: lmfinetuner_last0, ..., lmfinetuner_max0, ..., lmfinetuner_mean0, ...

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        poolings = POOLINGS if self.pooling == "concat" else (self.pooling,)
        return self._feature_names(poolings)

    @property
    def n_features_out_(self) -> int:
        """Width of what `transform` returns."""
        check_is_fitted(self)
        if members := self._members():
            return sum(member.n_features_out_ for member in members)
        return (len(POOLINGS) if self.pooling == "concat" else 1) * self._architecture.embedding_dim


def _fitted(
    data: LanguageModelData,
    network: LanguageModel,
    recipe: Recipe,
    stages: Sequence[Stage] = (),
    history: Sequence[dict] = (),
    interrupted: bool = False,
) -> dict[str, Any]:
    """Attributes of an estimator that is fitted as far as a network is, which goes to the CPU."""
    return {
        "_architecture": data.architecture, "_tokenizer": data.tokenizer, "vocab_size_": len(data.tokenizer),
        "_network": network.cpu().eval(), "recipe_": recipe, "stages_": list(stages), "history_": list(history),
        "n_iter_": len(history), "_interrupted": interrupted,
    }  # fmt: skip
