"""The linear probe: logistic regression on frozen features to convergence, its strength picked by validation."""

from __future__ import annotations

import time

import numpy as np

from engine.configs import SweepConfig
from engine.sweep.arms import Trial, training_set
from engine.sweep.trial_data import Inputs, Result

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Weights of the L2 penalty beside the mean loss. A mean, so that duplicates of all images change nothing."""
MAX_ITERATIONS = 5000
TOLERANCE = 1e-6
"""Largest entry of the gradient at which the fit has converged."""


def fit_probe(trial: Trial, inputs: Inputs, config: SweepConfig) -> Result:
    """Fit the probe on standardised features; the penalty with the lowest validation loss is kept.

    Nothing but the choice of images depends on the seed. In arms with classical augmentation all recorded views of an
    image stand for it. Steps do not apply: `best_step` is the number of L-BFGS iterations.
    """
    # Imported here, because every process that trains other heads would wait for it too.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    began = time.monotonic()
    chosen = training_set(trial, inputs.real_labels, inputs.pool_labels, config, inputs.drawing, inputs.real_groups)
    if chosen.classical:
        assert inputs.views is not None, "classical augmentation of a frozen backbone needs cached views"
        seen = inputs.views[chosen.rows].flatten(0, 1)
    else:
        seen = inputs.train[chosen.rows]
    features, valid, test = (part.cpu().double().numpy() for part in (seen, inputs.valid, inputs.test))
    labels = np.repeat(inputs.train_labels[chosen.rows], len(features) // len(chosen.rows))

    classes = np.arange(inputs.classes)
    best_loss, best = np.inf, None
    with threadpool_limits(1):  # the same sums whatever the machine, and beside other trials
        for penalty in PENALTIES:
            strength = 1 / (penalty * len(features))
            regression = LogisticRegression(C=strength, tol=TOLERANCE, max_iter=MAX_ITERATIONS)
            model = make_pipeline(StandardScaler(), regression).fit(features, labels)
            loss = log_loss(inputs.valid_labels, model.predict_proba(valid), labels=classes)
            if loss < best_loss:
                best_loss, best = loss, model
        assert best is not None
        right = best.predict(valid) == inputs.valid_labels
        scores = best.predict_proba(test).astype(np.float32)
        valid_scores = best.predict_proba(valid).astype(np.float32)
    iterations = int(best[-1].n_iter_.max())
    return Result(
        trial, chosen.n_real, chosen.n_synthetic, iterations, float(right.mean()), float(best_loss),
        time.monotonic() - began, scores, valid_scores,
    )  # fmt: skip
