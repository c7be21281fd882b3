"""A classifier and a regressor, as scikit-learn describes estimators."""

import json
import math
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._network import Network


class _Estimator(BaseEstimator):
    """What both have in common.

    Parameters
    ----------
    hidden : sizes of the hidden layers.
    algorithm : a name of `altmin.algorithms`: "am_adam", "am_mem", "am_recursive" (for streams), "adam", "sgd", ...
    options : options of the algorithm by their names in C++, e.g. {"learning_rate": 0.01, "mu": 0.3}.
    epochs : passes of `fit` over the data.
    batch_size : samples a step, at least; None for 1 with "am_recursive" and 32 with the others.
    schedule : "cosine" lowers the learning rates over the steps of `fit`, "constant" does not. `partial_fit` and
        `learn_one` always learn at the full rates.
    activation : "relu", "leaky_relu", "tanh" or "sigmoid".
    batch_norm : whether batch normalization follows each hidden map; not with "am_recursive", nor in `learn_one`.
    standardize : whether the network standardizes its inputs by their means and deviations so far.
    threads : threads of a step and a prediction; 0 for as many as the process has processors.
    random_state : None, an integer or a RandomState: initial weights and the order of samples in `fit`.

    Arrays of float32 in C order are read where they are; others are copied. Bad input raises ValueError.

    Attributes
    ----------
    network_ : the altmin.Network.
    n_features_in_, feature_names_in_ : the features of a sample, and their names if the data have such.
    classes_ : the classes, sorted (Classifier).
    """

    def __init__(
        self,
        hidden=(100,),
        algorithm="am_adam",
        *,
        options=None,
        epochs=100,
        batch_size=None,
        schedule="cosine",
        activation="relu",
        batch_norm=False,
        standardize=True,
        threads=0,
        random_state=None,
    ):
        self.hidden = hidden
        self.algorithm = algorithm
        self.options = options
        self.epochs = epochs
        self.batch_size = batch_size
        self.schedule = schedule
        self.activation = activation
        self.batch_norm = batch_norm
        self.standardize = standardize
        self.threads = threads
        self.random_state = random_state

    def fit(self, X, y):
        """Trains a new network on samples x features and their targets."""
        if self.schedule not in ("cosine", "constant"):
            raise ValueError(f"schedule: expected 'cosine' or 'constant', got {self.schedule!r}")
        if self.epochs < 1:
            raise ValueError(f"epochs: expected at least 1, got {self.epochs!r}")
        X, targets = self._first_batch(X, y)
        parts = self._parts(len(X))
        random = check_random_state(self.random_state)
        self._make_network(targets, random)

        def batches():
            steps = self.epochs * len(parts)
            for epoch in range(self.epochs):
                order = random.permutation(len(X))
                for i, part in enumerate(parts):
                    if self.schedule == "cosine":
                        done = (epoch * len(parts) + i) / steps
                        self.network_.set_rate_scale(0.5 * (1 + math.cos(math.pi * done)))
                    yield order[part]

        try:
            self._train(X, targets, batches())
        finally:
            self.network_.set_rate_scale(1)
        return self

    def learn_one(self, x, y):
        """Trains on one sample, an array of features, and its target."""
        return self.partial_fit(np.reshape(x, (1, -1)), [y])

    def predict_one(self, x):
        """The prediction for one sample, an array of features."""
        return self.predict(np.reshape(x, (1, -1)))[0]

    def save(self, path):
        """Writes network, parameters and state of training as a checkpoint, which C++ programs can load, too."""
        check_is_fitted(self, "network_")
        notes = {"estimator": type(self).__name__, "params": self.get_params(), **self._notes()}
        if hasattr(self, "feature_names_in_"):
            notes["feature_names_in"] = list(self.feature_names_in_)
        if isinstance(self.random_state, np.random.RandomState):
            notes["params"]["random_state"] = None
        self.network_.save(str(path), {"python": json.dumps(notes, default=_plain)})

    @classmethod
    def load(cls, path):
        """The estimator in a file of save(), which continues as the saved one would, or one with the network in a
        model file or checkpoint of a C++ program."""
        network, notes = Network.load(str(path))
        notes = json.loads(notes.get("python", "{}"))
        name = notes.get("estimator", cls.__name__)
        if name != cls.__name__:
            raise ValueError(f"{path}: expected a {cls.__name__}, got a {name}")
        if network.loss != cls._cxx_loss:
            raise ValueError(f"{path}: expected a network with the loss {cls._cxx_loss}, got {network.loss}")
        self = cls(**notes.get("params", {}))
        self.hidden = tuple(self.hidden)
        self.network_ = network
        self.network_.set_threads(self.threads)
        self.n_features_in_ = network.features
        if "feature_names_in" in notes:
            self.feature_names_in_ = np.array(notes["feature_names_in"], object)
        self._set_notes(notes)
        return self

    def _scores(self, X):
        """The network's outputs."""
        check_is_fitted(self, "network_")
        X = self._validate_data(X, dtype=np.float32, order="C", reset=False)
        if len(X) > 1:
            return self.network_.predict(X)
        # The product for a single sample rounds otherwise; two make predictions independent of what is beside them.
        return self.network_.predict(np.repeat(X, 2, axis=0))[:1]

    def _make_network(self, targets, random):
        self.network_ = Network(
            self.n_features_in_,
            list(self.hidden),
            self._outputs(targets),
            loss=self._loss,
            algorithm=self.algorithm,
            options=json.dumps(self.options or {}, default=_plain),
            activation=self.activation,
            batch_norm=self.batch_norm,
            standardize=self.standardize,
            seed=int(random.randint(2**31)),
        )
        self.network_.set_threads(self.threads)

    def _parts(self, samples):
        """The batches of a pass over so many samples."""
        size = self.batch_size
        if size is None:
            size = 1 if self.algorithm == "am_recursive" else 32
        if size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {size!r}")
        count = max(1, samples // size)
        return [slice(i * samples // count, (i + 1) * samples // count) for i in range(count)]

    def _train(self, X, targets, batches):
        """A step on each batch, a slice of the samples or their numbers."""
        reports = [self.network_.step(X[batch], targets[batch]) for batch in batches]
        failed = [report.status for report in reports if not report]
        if failed:
            text = f"{len(failed)} of {len(reports)} steps failed: {failed[-1]}"
            warnings.warn(text, RuntimeWarning, stacklevel=3)


class Classifier(ClassifierMixin, _Estimator):
    __doc__ = "A network that predicts classes, trained by softmax cross-entropy.\n" + _Estimator.__doc__

    _loss = "softmax_cross_entropy"
    _cxx_loss = "SoftmaxCrossEntropy"

    def partial_fit(self, X, y, classes=None):
        """One pass over these samples, in their order. `classes`: all that there will be, given with the first ones."""
        first = not hasattr(self, "network_")
        X, y = self._validate_data(X, y, dtype=np.float32, order="C", reset=first)
        check_classification_targets(y)
        if first:
            self._set_classes(y if classes is None else classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(f"classes: expected those of the first call, {self.classes_}, got {classes}")
        targets = self._targets(y)
        if first:
            self._make_network(targets, check_random_state(self.random_state))
        self._train(X, targets, self._parts(len(X)))
        return self

    def predict(self, X):
        """The most likely class of each sample."""
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X):
        """Samples x classes, in the order of `classes_`."""
        scores = self._scores(X).astype(np.float64)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def _first_batch(self, X, y):
        X, y = self._validate_data(X, y, dtype=np.float32, order="C")
        check_classification_targets(y)
        self._set_classes(y)
        return X, self._targets(y)

    def _set_classes(self, labels):
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"y: expected at least 2 classes, got {len(classes)} class")
        self.classes_ = classes

    def _targets(self, y):
        """The numbers of the classes."""
        known = np.isin(y, self.classes_)
        if not known.all():
            raise ValueError(f"y: expected one of the classes {self.classes_}, got {y[~known][0]!r}")
        return np.searchsorted(self.classes_, y).astype(np.int32)

    def _outputs(self, targets):
        return len(self.classes_)

    def _notes(self):
        return {"classes": self.classes_.tolist(), "class_type": self.classes_.dtype.str}

    def _set_notes(self, notes):
        classes = notes.get("classes", range(self.network_.outputs))
        self.classes_ = np.array(classes, notes.get("class_type", int))


class Regressor(RegressorMixin, _Estimator):
    __doc__ = "A network that predicts one or more values, trained by squared error.\n" + _Estimator.__doc__

    _loss = "mean_squared_error"
    _cxx_loss = "MeanSquaredError"

    def partial_fit(self, X, y):
        """One pass over these samples, in their order."""
        first = not hasattr(self, "network_")
        X, targets = self._first_batch(X, y, reset=first)
        if first:
            self._make_network(targets, check_random_state(self.random_state))
        self._train(X, targets, self._parts(len(X)))
        return self

    def predict(self, X):
        """An array of samples, or of samples x outputs where the targets of `fit` were such."""
        values = self._scores(X).astype(np.float64)
        return values[:, 0] if self._is_vector else values

    def _more_tags(self):
        return {"multioutput": True}

    def _first_batch(self, X, y, reset=True):
        X, y = self._validate_data(
            X, y, dtype=np.float32, order="C", multi_output=True, y_numeric=True, reset=reset
        )
        if reset:
            self._is_vector = y.ndim == 1
        return X, np.reshape(y, (len(y), -1)).astype(np.float32)

    def _outputs(self, targets):
        return targets.shape[1]

    def _notes(self):
        return {"is_vector": self._is_vector}

    def _set_notes(self, notes):
        self._is_vector = notes.get("is_vector", self.network_.outputs == 1)


def _plain(value):
    """Numbers and arrays of numpy for JSON."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"expected parameters that JSON can hold, got {value!r}")
