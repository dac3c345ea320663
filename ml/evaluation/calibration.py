"""Calibration of a classifier's confidence: a temperature, and the error that is left (Guo et al. 2017)."""

import torch
from torch import Tensor

STEPS, BETAS = 60, (0.05, 20.0)  # of Newton's method; the range of 1 / T
BINS = 15


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T at which softmax(logits / T) has the least cross-entropy, by Newton's method over 1 / T.

    logits (N, classes) and labels (N,) of images that the classifier was not trained on. The loss is convex in 1 / T.
    """
    z = logits.double()
    beta = 1.0
    for _ in range(STEPS):
        p = (beta * z).softmax(dim=1)
        mean = (p * z).sum(dim=1)
        slope = float((mean - z.gather(1, labels[:, None])[:, 0]).mean())
        curvature = float(((p * z * z).sum(dim=1) - mean.square()).mean())
        step = slope / max(curvature, 1e-12)
        beta = min(max(beta - step, beta / 2, BETAS[0]), beta * 2, BETAS[1])
    return 1 / beta


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """The expected calibration error (Guo et al. 2017, eq. 3): the mean gap of confidence and accuracy over BINS bins.

    probabilities (N, classes), labels (N,).
    """
    confidence, predicted = probabilities.max(dim=1)
    right = (predicted == labels).double()
    bins = (confidence * BINS).ceil().long() - 1
    gaps = [(confidence[bins == k].double().sum() - right[bins == k].sum()).abs() for k in range(BINS)]
    return float(torch.stack(gaps).sum()) / len(labels)
