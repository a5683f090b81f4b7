"""Measuring sticks: what anyone would try first. They are compared with, never served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

THREADS = 1

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int8]

# As the handbook has them: all else at its default, random_state 0.
HANDBOOK: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: LogisticRegression(random_state=0),
    "tree, depth 2": lambda: DecisionTreeClassifier(max_depth=2, random_state=0),
    "random forest": lambda: RandomForestClassifier(random_state=0, n_jobs=THREADS),
    # What were XGBoost's defaults when the book was written, before its version 2.
    "XGBoost": lambda: XGBClassifier(
        tree_method="exact", base_score=0.5, random_state=0, n_jobs=THREADS
    ),
}

# Boosted trees that see drawn rows and columns, so that a seed makes a difference.
CREDITCARD: dict[str, Callable[[int], Any]] = {
    "XGBoost": lambda seed: XGBClassifier(
        n_estimators=400,
        max_depth=6,
        learning_rate=0.1,
        subsample=0.8,
        colsample_bytree=0.5,
        scale_pos_weight=10,
        tree_method="hist",
        random_state=seed,
        n_jobs=THREADS,
    ),
    "LightGBM": lambda seed: LGBMClassifier(
        n_estimators=400,
        num_leaves=31,
        learning_rate=0.02,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.5,
        min_child_samples=50,
        random_state=seed,
        n_jobs=THREADS,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    ),
    "logistic regression": lambda seed: LogisticRegression(random_state=seed, max_iter=1000),
}


def scores_of(stick: Any, train: tuple[Matrix, Labels], test: Matrix) -> npt.NDArray[np.float64]:
    """Fit a stick on standardised features and score the test with it."""
    fitted = make_pipeline(StandardScaler(), stick).fit(*train)
    scores: npt.NDArray[np.float64] = fitted.predict_proba(test)[:, 1].astype(np.float64)
    return scores
