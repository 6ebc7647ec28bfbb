"""ULMFiTClassifier: language-model stage and classifier stage behind one fit."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from skulmfit.base import POOLINGS, TextEstimator, check_device, n_threads
from skulmfit.finetuner import LMFineTuner
from skulmfit.nn.awd_lstm import AWDLSTM, Architecture
from skulmfit.nn.dropout import MAX_DROPOUT, Dropouts
from skulmfit.nn.heads import PoolingHead, TextClassifier
from skulmfit.text.corpus import TokenCorpus
from skulmfit.training.classification import ClassificationTask, HeadTask, classifier_groups
from skulmfit.training.loop import Monitor, OptimizerSettings, train
from skulmfit.training.progress import Progress
from skulmfit.training.runtime import Runtime
from skulmfit.training.stages import Stage, classifier_batch_size, classifier_stages
from skulmfit.validation import check_choice, check_epochs, check_labels, check_number, check_weights

# Howard & Ruder 2018, section 4.1, for a multiplier of 1; as in the authors' code the dropout of the output is the
# head's first one, and its second is 0.1.
CLASSIFIER_DROPOUTS = Dropouts(embedding=0.05, input=0.4, hidden=0.3, output=0.0, weight=0.5)
HEAD_DROPOUTS = (0.4, 0.1)


class ULMFiTClassifier(ClassifierMixin, TextEstimator):
    """Text classifier fine-tuned from a pretrained language model (ULMFiT).

    `fit` runs two stages. The language model is fine-tuned on the texts, labels ignored. Then its whole encoder gets
    a pooling head and is fine-tuned on the labels, with gradual unfreezing, discriminative learning rates and slanted
    triangular schedules.

    Parameters
    ----------
    lm : LMFineTuner, FrozenEstimator or None, default=None
        The language-model stage. None stands for `LMFineTuner()` with this classifier's `device` and `verbose`; to
        search over `lm__epochs` and the like, start from an explicit one. A fitted `LMFineTuner` wrapped in
        `sklearn.frozen.FrozenEstimator` is used as it is: the way to bring in unlabelled texts, and to fine-tune once
        for many classifiers.
    epochs : int or "auto", default="auto"
        Epochs of the last stage, in which all layers train. "auto" resolves to a sensible number of updates; the plan
        is in `stages_`.
    learning_rate : float, default=0.01
        Peak learning rate of the head.
    lr_decay : float, default=2.6
        How much slower each layer learns than the one above it.
    batch_size : int or "auto", default="auto"
        Documents per update; "auto" takes 16 to 64, more where there are more documents.
    gradual_unfreezing : bool, default=True
        Whether layers join the training one by one, from the top.
    dropout_multiplier : float, default=0.2
        Factor on all dropouts of encoder and head.
    weight_decay : float, default=0.01
        Decoupled weight decay.
    hidden_dim : int, default=50
        Width of the head's hidden layer.
    label_smoothing : float, default=0.0
        Share of the target spread over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    early_stopping : bool, default=False
        Whether to set aside part of the training data, end a stage when the loss on it stops improving, and keep the
        weights that did best on it.
    validation_fraction : float, default=0.1
        Share of the training data set aside for early stopping.
    n_iter_no_change : int, default=3
        Epochs without improvement after which early stopping ends a stage.
    device : str, default="auto"
        Where to compute: "auto" takes a GPU where there is one, else the CPU.
    random_state : int, RandomState or None, default=None
        Seed of everything random. The same int gives the same bits on the same machine with
        the same number of threads.
    verbose : int, default=0
        1 shows progress.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    history_ : list of dict
        One row per epoch, language-model stage first: stage, epoch, loss, seconds, with early stopping
        validation_loss.
    stages_ : list of Stage
        The resolved plan of the classifier: which layers trained at which rate for how many epochs.
    lm_stages_ : list of Stage
        The resolved plan of the language-model stage.
    n_iter_ : int
        Number of epochs of the classifier, all stages together.
    vocab_size_ : int
        Number of pieces of the tokenizer.

    See Also
    --------
    LMFineTuner : The language model alone, as a transformer.

    References
    ----------
    J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018.

    Examples
    --------
    >>> from skulmfit import LMFineTuner, ULMFiTClassifier
    >>> texts = ["a fine film", "a dull film", "fine acting", "dull acting"] * 5
    >>> labels = ["good", "bad", "good", "bad"] * 5
    >>> lm = LMFineTuner(pretrained=None, vocab_size=300, embedding_dim=16, hidden_dim=16)
    >>> clf = ULMFiTClassifier(lm=lm, learning_rate=0.02, random_state=0).fit(texts, labels)
    >>> clf.predict(["fine film", "dull film"])
    array(['good', 'bad'], dtype='<U4')
    """

    def __init__(
        self,
        lm=None,
        *,
        epochs="auto",
        learning_rate=0.01,
        lr_decay=2.6,
        batch_size="auto",
        gradual_unfreezing=True,
        dropout_multiplier=0.2,
        weight_decay=0.01,
        hidden_dim=50,
        label_smoothing=0.0,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.lm = lm
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.gradual_unfreezing = gradual_unfreezing
        self.dropout_multiplier = dropout_multiplier
        self.weight_decay = weight_decay
        self.hidden_dim = hidden_dim
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None):
        """Fine-tune the language model on the texts, then the classifier on texts and labels.

        Parameters
        ----------
        X : iterable of str
        y : array-like of shape (n_texts,)
            Labels of any type.
        sample_weight : array-like of shape (n_texts,), optional
            Weights in the classifier's loss. A text of weight 0 is left out of both stages.

        Returns
        -------
        self : ULMFiTClassifier
        """
        self._check_parameters()
        texts = self._check_texts(X, reset=True)
        classes, targets = check_labels(y, texts, type(self).__name__)
        weights = check_weights(sample_weight, self.class_weight, classes, targets)
        kept = np.flatnonzero(weights)
        if len(kept) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 texts with a weight above 0, got {len(kept)}.")
        texts, targets, weights = [texts[row] for row in kept], targets[kept], weights[kept]
        seed, runtime = self._draw_seed(), self._runtime()
        split = self._split(targets, seed)

        lm = self._fitted_lm(texts, seed)
        corpus = lm._tokenizer.encode(texts, n_threads=n_threads())
        with runtime.seeded(seed):
            network = self._new_network(lm._architecture, len(classes), self.hidden_dim)
            network.encoder.load_state_dict(lm._network.encoder.state_dict())
            network.encoder.dropouts = CLASSIFIER_DROPOUTS * self.dropout_multiplier
            stages, history = self._train(network, lm, corpus, targets, weights, split, runtime, seed)
        # Nothing of an earlier fit is touched before this one has come to its end.
        self.classes_, self._hidden_dim = classes, self.hidden_dim
        self._architecture, self._tokenizer, self._network = lm._architecture, lm._tokenizer, network.cpu().eval()
        self.stages_, self.lm_stages_, self.history_ = stages, list(lm.stages_), [*lm.history_, *history]
        self.n_iter_, self.vocab_size_ = len(history), len(self._tokenizer)
        return self

    def _check_parameters(self) -> None:
        if isinstance(self.lm, FrozenEstimator):
            check_is_fitted(self.lm.estimator)
        lm = self.lm.estimator if isinstance(self.lm, FrozenEstimator) else self.lm
        if lm is not None and not isinstance(lm, LMFineTuner):
            raise TypeError(f"lm must be an LMFineTuner, a FrozenEstimator of a fitted one, or None; got {self.lm!r}.")
        check_epochs(self.epochs)
        if self.batch_size != "auto":
            check_number(self.batch_size, "batch_size", Integral, low=2)
        check_number(self.learning_rate, "learning_rate", Real, low=0, bounds="neither")
        check_number(self.lr_decay, "lr_decay", Real, low=1)
        check_number(self.dropout_multiplier, "dropout_multiplier", Real, low=0)
        check_number(self.weight_decay, "weight_decay", Real, low=0)
        check_number(self.hidden_dim, "hidden_dim", Integral, low=1)
        check_number(self.label_smoothing, "label_smoothing", Real, low=0, high=1, bounds="left")
        check_number(self.validation_fraction, "validation_fraction", Real, low=0, high=1, bounds="neither")
        check_number(self.n_iter_no_change, "n_iter_no_change", Integral, low=1)
        check_number(self.verbose, "verbose", Integral, low=0)
        check_choice(self.gradual_unfreezing, "gradual_unfreezing", (True, False))
        check_choice(self.early_stopping, "early_stopping", (True, False))
        check_device(self.device)

    def _fitted_lm(self, texts: list[str], seed: int) -> LMFineTuner:
        """The language-model stage: a frozen one as it is, or a clone fitted on the texts."""
        if isinstance(self.lm, FrozenEstimator):
            return self.lm.estimator
        lm = LMFineTuner(device=self.device, verbose=self.verbose) if self.lm is None else clone(self.lm)
        if lm.random_state is None:
            lm.set_params(random_state=seed)
        return lm.fit(texts)

    def _train(
        self,
        network: TextClassifier,
        lm: LMFineTuner,
        corpus: TokenCorpus,
        targets,
        weights,
        split,
        runtime: Runtime,
        seed,
    ) -> tuple[list[Stage], list[dict]]:
        """Run the stages, the head on states computed once, then the rest through the encoder: plan and history."""
        network, rng = network.to(runtime.device), np.random.default_rng(seed)
        rows, held_out_rows = split
        batch_size = classifier_batch_size(len(rows)) if self.batch_size == "auto" else self.batch_size
        options = {"batch_size": batch_size, "pad_id": lm._tokenizer.pad_id, "label_smoothing": self.label_smoothing}

        def task(kind: type[ClassificationTask]) -> ClassificationTask:
            def on(rows: np.ndarray, **more) -> ClassificationTask:
                return kind(network, corpus.take(rows), targets[rows], weights[rows], runtime, **options, **more)

            return on(rows, held_out=None if held_out_rows is None else on(held_out_rows))

        head_task, whole_task = task(HeadTask), task(ClassificationTask)
        stages = classifier_stages(
            len(network.encoder.layers), whole_task.n_batches(), head_task.n_batches(), epochs=self.epochs,
            learning_rate=self.learning_rate, lr_decay=self.lr_decay, gradual_unfreezing=self.gradual_unfreezing,
        )  # fmt: skip
        if lm._interrupted:  # the user wants an end: the head alone makes the estimator usable
            stages = stages[:1]
        progress = Progress(self.verbose)
        monitor = Monitor(patience=self.n_iter_no_change, on_step=progress.on_step)
        train(
            network, classifier_groups(network),
            [(stage, head_task if index == 0 else whole_task) for index, stage in enumerate(stages)],
            settings=OptimizerSettings(weight_decay=self.weight_decay, clip=1.0),
            runtime=runtime, rng=rng, monitor=monitor,
        )  # fmt: skip
        progress.close()
        return stages, monitor.history

    def _split(self, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows to train on, and rows set aside for early stopping: of every class where there are enough."""
        rows = np.arange(len(targets))
        if not self.early_stopping:
            return rows, None
        n_held_out = int(np.ceil(self.validation_fraction * len(rows)))
        if len(rows) - n_held_out < 2:
            raise ValueError(f"early_stopping=True leaves {len(rows) - n_held_out} of {len(rows)} texts to train on.")
        counts = np.unique(targets, return_counts=True)[1]
        can_stratify = counts.min() > 1 and len(counts) <= min(n_held_out, len(rows) - n_held_out)
        kept, held_out = train_test_split(
            rows, test_size=n_held_out, random_state=seed, stratify=targets if can_stratify else None
        )
        return np.sort(kept), np.sort(held_out)

    def _build_network(self) -> TextClassifier:
        return self._new_network(self._architecture, len(self.classes_), self._hidden_dim)

    def _new_network(self, architecture: Architecture, n_classes: int, hidden_dim: int) -> TextClassifier:
        dropouts = tuple(min(p * self.dropout_multiplier, MAX_DROPOUT) for p in HEAD_DROPOUTS)
        head = PoolingHead(len(POOLINGS) * architecture.embedding_dim, n_classes, hidden_dim, dropouts)
        return TextClassifier(AWDLSTM(architecture), head)

    def transform(self, X):
        """Pooled hidden states of texts in the fine-tuned encoder: [last, max, mean].

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, 3 * embedding_dim), float32
        """
        return self._document_outputs(X)

    def _logits(self, X: Any) -> np.ndarray:
        """Logits of every class, float32 of shape (n_texts, n_classes)."""
        check_is_fitted(self)
        return self._document_outputs(X, self._network.head)

    def decision_function(self, X):
        """Logits of texts.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,) or (n_texts, n_classes), float32
            With two classes, by how much the second one's logit is above the first one's.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X):
        """Probability of every class.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32
            Columns in the order of `classes_`.
        """
        return torch.softmax(torch.from_numpy(self._logits(X)), dim=1).numpy()

    def predict(self, X):
        """Most probable label of every text.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,)
        """
        indices = self._logits(X).argmax(axis=1)
        return self.classes_[indices]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of `transform`: ulmfitclassifier_last0, ..., _max0, ..., _mean0, ...

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        return self._feature_names(POOLINGS, self._architecture.embedding_dim)
