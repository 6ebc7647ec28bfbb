"""LMFineTuner: a language model fine-tuned on texts, and its hidden states as features."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.random import RandomState
from sklearn.utils import check_random_state

from skulmfit.estimators.base import TextEstimator
from skulmfit.estimators.compat import with_callbacks
from skulmfit.estimators.doubts import doubt_language
from skulmfit.estimators.fit_remedies import new_clock
from skulmfit.estimators.fit_session import FitSession
from skulmfit.estimators.fit_texts import FitTexts
from skulmfit.estimators.fitted_state import FittedState
from skulmfit.estimators.label_texts import LabelTexts, Phrases
from skulmfit.inference.generation import continue_text
from skulmfit.inference.texts import text_features, text_log_likelihoods
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.registry import load_pretrained, locate
from skulmfit.models.sentence_map import build_features
from skulmfit.models.vocabulary_transfer import Transfer
from skulmfit.nn.encoder import KINDS, Architecture
from skulmfit.nn.features import FEATURES, Features, Similarities
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.pooling import POOLINGS
from skulmfit.nn.runtime import Runtime
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import DIRECTIONS, TokenCorpus
from skulmfit.text.tokenizer import Tokenizer
from skulmfit.text.words import WordTokenizer
from skulmfit.training.language_model_fine_tuning import fine_tune_language_model
from skulmfit.training.outcome import Outcome
from skulmfit.training.parameters import check_choice, check_epochs, check_number, check_number_or_auto
from skulmfit.training.recipe import Recipe
from skulmfit.training.recipes import LANGUAGE_MODEL_RECIPES

Pretrained = str | os.PathLike | None


class LMFineTuner(TextEstimator[FittedState[LanguageModel]]):
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
        Which way texts are read. "both" fits two language models, independent of each other. `transform` puts their
        states side by side. An estimator above them takes the mean of what it predicts from each.
    recipe : {"skulmfit", "quick", "paper", "fastai", "multifit"} or Recipe, default="skulmfit"
        Every parameter that is "auto" takes its value from here: our own recipe, found by measurement, a published one,
        or one that you have made. The numbers in brackets below are those of the default.
    epochs : int or "auto", default="auto"
        Passes over the texts in which the whole network trains (as many as make about 300 updates, at most 10). 0
        keeps the language model as it is, and so does "auto" with a pretrained model and less than 100,000 tokens of
        text, which teach it nothing. To save time, "auto" reads much text only once or twice; 5 times are better.
    learning_rate : float or "auto", default="auto"
        Peak learning rate (4e-3); stages of a recipe may multiply it. 1e-3 changes sentence vectors less.
    lr_decay : float or "auto", default="auto"
        How much slower each LSTM layer learns than the one above it (2.6). The embeddings, which are the decoder too,
        learn fastest.
    batch_size : int or "auto", default="auto"
        Number of parallel streams into which the texts are cut (64). Little text is cut into fewer.
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
    features : {"auto", "last_layer", "last_two_layers", "all_layers", "sentence", "combined"}, default="auto"
        What `transform` returns: pooled hidden states of the last layer, of the last two, or of all; sentence vectors,
        of length 1, whose cosines say how much alike texts are; or "combined", the states of the last two layers
        (halved) and the sentence vector (times 2.5) side by side, which suit a logistic regression as they come. "auto"
        is "combined" for a language model that was taught by a sentence encoder, such as "en", else "last_layer".
    pooling : {"concat", "last", "max", "mean"}, default="concat"
        Which pooled states there are among the features: the last one, their maximum, their mean, or all three.
    phrases : dict, optional
        Phrases by name, one or several each: `{"price": "It is too expensive.", ...}`. `transform` gives the cosine of
        each text's sentence vector with theirs as one more feature, similarity_price.
    vocab_size : int, default=12000
        At most so many pieces in a vocabulary learnt from the texts.
    architecture : {"lstm", "qrnn"}, default="lstm"
        Kind of recurrent layers of a new network, with `pretrained=None` only. QRNNs need more layers to be as good.
    embedding_dim, hidden_dim, n_layers : int, default=256, 640, 3
        Size of a new network; with `pretrained=None` only.
    checkpoint : str, path or None, default=None
        Folder where a long `fit` keeps its state every 2 minutes. After a kill the same `fit` goes on from there, and
        ends with the same bits as if it had never been cut. What it has kept is removed at its end.
    device : str, default="auto"
        Where to compute: "auto" takes a GPU where there is one, else the CPU.
    precision : {"float32", "bfloat16"}, default="float32"
        In what `transform` and the predictions read texts. "bfloat16" is faster on processors that compute it; on
        others it is float32. It does not change `fit`.
    random_state : int, RandomState or None, default=None
        Seed of everything random. The same int gives the same bits on the same machine, on
        any number of threads.
    verbose : int, default=0
        1 shows progress.

    Attributes
    ----------
    history_ : list of dict
        One row per epoch: stage, epoch, loss in nats per piece, updates, seconds; with validation texts also
        validation_loss. It prints as a table, and has `to_frame()`.
    loss_curve_ : list of float
        The loss of every update.
    recipe_ : Recipe
        The recipe with the parameters given in place of its own.
    stages_ : list of Stage
        The resolved plan: which layers trained at which rate for how many epochs.
    n_iter_ : int
        Number of epochs trained.
    vocab_size_ : int
        Number of pieces of the tokenizer.
    vocab_transfer_ : dict
        Only with another tokenizer than the pretrained model's: how many of its pieces were `kept` from the vocabulary
        of the pretrained model, `spelled` by its pieces, or `new`, and the share of the texts' tokens that are kept
        ones, `coverage`. With two directions, each in `directions_` has it.
    directions_ : dict of str to LMFineTuner
        The fitted estimator of each direction.
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

    _model_kind = LanguageModel
    _targets_kind = None
    _named_recipes = LANGUAGE_MODEL_RECIPES

    def __init__(
        self,
        pretrained: Pretrained | tuple[Pretrained, Pretrained] = "en",
        *,
        tokenizer: str | os.PathLike | Callable[[str], Iterable[str]] | None = None,
        direction: Literal["forward", "backward", "both"] = "forward",
        recipe: str | Recipe = "skulmfit",
        epochs: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        lr_decay: float | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        bptt: int = 70,
        dropout_multiplier: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 2,
        features: Literal["auto", "last_layer", "last_two_layers", "all_layers", "sentence", "combined"] = "auto",
        pooling: Literal["concat", "last", "max", "mean"] = "concat",
        phrases: LabelTexts | None = None,
        vocab_size: int = 12_000,
        architecture: Literal["lstm", "qrnn"] = "lstm",
        embedding_dim: int = 256,
        hidden_dim: int = 640,
        n_layers: int = 3,
        checkpoint: str | os.PathLike | None = None,
        device: str = "auto",
        precision: Literal["float32", "bfloat16"] = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
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
        self.features = features
        self.pooling = pooling
        self.phrases = phrases
        self.vocab_size = vocab_size
        self.architecture = architecture
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        self.n_layers = n_layers
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Iterable[str], y: object = None, *, X_val: Iterable[str] | None = None) -> Self:
        """Fine-tune the language model on texts.

        Parameters
        ----------
        X : iterable of str
        y : ignored
        X_val : iterable of str, optional
            Texts to measure the loss on after every epoch, in place of a share of X. Training ends when the loss stops
            improving, and the weights that did best are kept.

        Returns
        -------
        self : LMFineTuner
        """
        self._check_parameters()
        # A fit that this one is a part of has checked the texts, and knows what tokenizers make of them.
        own = self.__dict__.pop("_texts", None) or FitTexts(self._check_texts(X, reset=True))
        validation = FitTexts([] if X_val is None else self._check_texts(X_val, reset=False))
        pretrained = {
            direction: self._load(name, direction) for direction, name in self._pretrained_by_direction().items()
        }
        # Where this fit is a part of another one, that one's clock counts.
        clock = self.__dict__.pop("_clock", None) or new_clock(self, self._training_titles())
        with FitSession(self, own.texts, y, own.texts, validation.texts, clock=clock) as session:
            return self._train(session, pretrained, own, validation)

    def _train(
        self, session: FitSession, pretrained: dict[str, LanguageModel | None], own: FitTexts, validation: FitTexts
    ) -> Self:
        """Fine-tune the language model of each direction."""
        fitted: FittedState[LanguageModel] = FittedState(self._resolved_recipe())
        tokenizer = self._own_tokenizer(own.texts, is_needed=None in pretrained.values())
        for direction, model in pretrained.items():
            with session.training(direction if len(pretrained) > 1 else None) as rng:
                start, transfer = self._starting_point(model, direction, tokenizer)
                self._features_of(start)  # raises here if there are none of these
                corpus = own.encoded_by(start.tokenizer)
                if start is model and not fitted.models:
                    doubt_language(start.tokenizer, corpus)
                training, watched = self._split(corpus, validation, start.tokenizer, rng)
                as_fitted = partial(self._as_fitted, fitted, start.tokenizer)
                # A network or a vocabulary that has learnt nothing yet is trained however few the texts are.
                plan = fitted.recipe if start is model else replace(fitted.recipe, least_tokens=0)
                model, outcome = fine_tune_language_model(
                    start, training, plan, bptt=self.bptt, validation=watched, runtime=session.runtime,
                    rng=rng, patience=self.n_iter_no_change,
                    callbacks=session.callbacks(f"language-model-{direction}", corpus, as_fitted),
                )  # fmt: skip
            report = None if transfer is None else transfer.report(corpus.ids)
            fitted = fitted.with_model(model, outcome, report)
            if outcome.interrupted:
                break
        self._publish(fitted)
        session.end(interrupted=fitted.interrupted)
        return self

    def _as_fitted(
        self, so_far: FittedState[LanguageModel], tokenizer: AnyTokenizer, network: LanguageModelNetwork
    ) -> dict[str, Any]:
        """Attributes that a fit would end with if the network were its last."""
        model = LanguageModel.from_network(network, tokenizer)
        return dict(vars(self._with(so_far.with_model(model, Outcome(), None))))

    def _training_titles(self) -> dict[str, str]:
        """What each training of a fit is called, by its name."""
        directions = list(self._pretrained_by_direction())
        return {
            f"language-model-{way}": "language model" if len(directions) == 1 else f"language model {way}"
            for way in directions
        }

    def _pretrained_by_direction(self) -> dict[str, Pretrained]:
        """Name or path of the language model to start from in each direction."""
        directions = DIRECTIONS if self.direction == "both" else (self.direction,)
        names = self.pretrained if isinstance(self.pretrained, tuple | list) else [self.pretrained] * len(directions)
        return dict(zip(directions, names))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_epochs(self.epochs, low=0)
        check_number_or_auto(self.batch_size, "batch_size", Integral, low=1)
        check_number(self.bptt, "bptt", Integral, low=5)
        check_choice(self.features, "features", ("auto", *FEATURES))
        check_choice(self.pooling, "pooling", ("concat", *POOLINGS))
        if self.phrases is not None:
            Phrases.check(self.phrases, "phrases")
        check_choice(self.architecture, "architecture", KINDS)
        for name in ("vocab_size", "embedding_dim", "hidden_dim", "n_layers"):
            check_number(getattr(self, name), name, Integral, low=1)
        if not (self.tokenizer is None or callable(self.tokenizer) or isinstance(self.tokenizer, str | os.PathLike)):
            raise TypeError(f"tokenizer must be None, 'train', a path or a callable, got {self.tokenizer!r}.")
        check_choice(self.direction, "direction", (*DIRECTIONS, "both"))
        is_pair = isinstance(self.pretrained, tuple | list) and len(self.pretrained) == 2 and self.direction == "both"
        for pretrained in self.pretrained if is_pair else [self.pretrained]:  # type: ignore[union-attr]
            if not isinstance(pretrained, str | os.PathLike | None):
                raise TypeError(
                    f"pretrained must be a name, a path or None, or with direction='both' a pair of them; got "
                    f"{self.pretrained!r}."
                )

    def _content(self) -> list[Any]:
        name, params, recipe = super()._content()
        files = [locate(own, way) for way, own in self._pretrained_by_direction().items() if own is not None]
        if callable(self.tokenizer):  # is known by its name alone
            params["tokenizer"] = getattr(self.tokenizer, "__qualname__", type(self.tokenizer).__qualname__)
        elif self.tokenizer not in (None, "train"):
            files.append(Path(self.tokenizer))
        # Another file under the same name is another model.
        return [name, params, recipe, [path.read_bytes() for path in files if path.is_file()]]

    def _load(self, pretrained: Pretrained, direction: str) -> LanguageModel | None:
        """The language model to start from, if there is one."""
        if pretrained is None:
            return None
        model = load_pretrained(pretrained, direction)
        if self.architecture == "qrnn" and model.architecture.kind == "lstm":
            raise ValueError(
                f"architecture='qrnn' is for a new network, but pretrained={pretrained!r} has LSTM layers. Give "
                "pretrained=None, or the path of a QRNN."
            )
        return model

    def _starting_point(
        self, pretrained: LanguageModel | None, direction: str, tokenizer: AnyTokenizer | None
    ) -> tuple[LanguageModel, Transfer | None]:
        """The language model to fine-tune, and how its embeddings were moved to another vocabulary, if they were."""
        tokenizer = None if tokenizer is None else tokenizer.in_direction(direction)
        if pretrained is None:
            assert tokenizer is not None
            sizes = (self.embedding_dim, self.hidden_dim, self.n_layers)
            return LanguageModel.new(Architecture(len(tokenizer), *sizes, kind=self.architecture), tokenizer), None
        return (pretrained, None) if tokenizer is None else pretrained.with_tokenizer(tokenizer)

    def _own_tokenizer(self, texts: list[str], *, is_needed: bool) -> AnyTokenizer | None:
        """The tokenizer that the user wants instead of the pretrained model's; a new one where there is none."""
        if self.tokenizer is None and not is_needed:
            return None
        if self.tokenizer in (None, "train"):
            return Tokenizer.train(texts, vocab_size=self.vocab_size)
        if callable(self.tokenizer):
            return WordTokenizer.train(texts, self.tokenizer, vocab_size=self.vocab_size)
        path = Path(self.tokenizer)
        if not path.is_file():
            raise ValueError(
                f"tokenizer={os.fspath(path)!r} is no file. Give the path of a SentencePiece model, 'train', a "
                "callable that splits a text into words, or None."
            )
        return Tokenizer(path.read_bytes())

    def _split(
        self, corpus: TokenCorpus, validation: FitTexts, tokenizer: AnyTokenizer, rng: np.random.Generator
    ) -> tuple[TokenCorpus, TokenCorpus | None]:
        """Documents to train on, and those for validation: the user's own, or a share for early stopping."""
        if validation.texts:
            return corpus, validation.encoded_by(tokenizer)
        if not self.early_stopping:
            return corpus, None
        n_validation = int(np.ceil(self.validation_fraction * len(corpus)))
        if n_validation == len(corpus):
            raise ValueError(f"early_stopping=True leaves none of {len(corpus)} texts to train on.")
        order = rng.permutation(len(corpus))
        return corpus.take(np.sort(order[n_validation:])), corpus.take(order[:n_validation])

    def language_model(self, direction: str | None = None) -> LanguageModel:
        """The fine-tuned language model as plain data.

        Its `save(path)` writes a file that `pretrained=` takes.

        Parameters
        ----------
        direction : {"forward", "backward"}, optional
            Which of two.

        Returns
        -------
        LanguageModel
            Architecture, tokenizer, weights.

        Raises
        ------
        ValueError
            If there are two and none is named, or none reads in this direction.

        Examples
        --------
        >>> from skulmfit import LMFineTuner
        >>> LMFineTuner(epochs=0).fit(["-"]).language_model().tokenizer
        Tokenizer(12,000 pieces, forward)
        """
        return self._model_of(direction)

    def _features_of(self, model: LanguageModel) -> Features | Similarities:
        """The features that are asked for."""
        poolings = POOLINGS if self.pooling == "concat" else (self.pooling,)
        features = build_features(self.features, model.architecture, model.sentence_map, poolings)
        if not self.phrases:
            return features
        if model.sentence_map is None:
            raise ValueError(
                "phrases needs a language model that was taught by a sentence encoder, such as 'en'; this one has no "
                "sentence vectors."
            )
        phrases = Phrases.check(self.phrases, "phrases")
        sentence = build_features("sentence", model.architecture, model.sentence_map)
        vectors = text_features(model, sentence, list(phrases.texts), Runtime.resolve(self.device))
        return Similarities(features, sentence, phrases.vectors(vectors))

    def score(self, X: Iterable[str], y: object = None) -> float:
        """Mean log-likelihood of texts in nats per piece; higher is better. With two directions, the mean.

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

    def perplexity(self, X: Iterable[str]) -> float:
        """Perplexity of texts per piece: exp(-score); lower is better.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        float
        """
        return float(np.exp(-self.score(X)))

    def score_samples(self, X: Iterable[str]) -> np.ndarray:
        """Log-likelihood of every text in nats, summed over its pieces; texts unlike those of `fit` score low.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,), float64
            With two directions, the mean.
        """
        return self._log_likelihoods(X)[0]

    def _log_likelihoods(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood of every text, and its number of pieces. With two models, their means."""
        models, texts = self._state().models, self._check_texts(X, reset=False)
        runtime = Runtime.resolve(self.device)
        parts = [text_log_likelihoods(model, texts, runtime, verbose=self.verbose) for model in models]
        return np.mean([sums for sums, _ in parts], axis=0), np.mean([n for _, n in parts], axis=0)

    def generate(
        self,
        prompt: str = "",
        *,
        n_tokens: int = 100,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = 0.95,
        random_state: int | RandomState | None = None,
    ) -> str:
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
            The prompt and what follows it. The tokenizer has normalised the prompt: there is one kind of quotes and
            dashes, there are single spaces, and a single capital letter is lowered.

        Examples
        --------
        >>> from skulmfit import LMFineTuner
        >>> lm = LMFineTuner(epochs=0).fit(["-"])
        >>> lm.generate("The largest city of the United", n_tokens=2, temperature=0)
        'The largest city of the United States'
        """
        models = {model.direction: model for model in self._state().models}
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a str, got {prompt!r}.")
        check_number(n_tokens, "n_tokens", Integral, low=1)
        check_number(temperature, "temperature", Real, low=0)
        if top_k is not None:
            check_number(top_k, "top_k", Integral, low=1)
        if top_p is not None:
            check_number(top_p, "top_p", Real, low=0, high=1, bounds="right")
        if "forward" not in models:
            raise ValueError("generate needs a language model that reads forward; this one reads backward.")
        rng = np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        return continue_text(
            models["forward"], prompt, n_tokens, rng, Runtime.resolve(self.device), temperature=temperature,
            top_k=top_k, top_p=top_p,
        )  # fmt: skip
