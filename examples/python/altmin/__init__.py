"""Neural networks trained online by alternating minimization, as estimators of scikit-learn.

    from altmin import Classifier
    model = Classifier(hidden=(100,), algorithm="am_mem").fit(X, y)
"""

from ._network import Error, Network, StepReport, algorithms
from .estimators import Classifier, Regressor

__all__ = ["Classifier", "Error", "Network", "Regressor", "StepReport", "algorithms"]
