"""The record of how a period's decisions turned out, as far as labels had arrived at a moment.

A test holds it to `measures.prequential.PeriodMeasures`, whose docstring says more of each figure.
"""

from __future__ import annotations

from fraudline.contract.columns import Column


def _count(name: str, description: str) -> Column:
    return Column(name, "int64", description, min=0)


def _figure(name: str, description: str, unit: str = "") -> Column:
    return Column(name, "float64", description, unit, is_nullable=True)


MEASURE_COLUMNS: tuple[Column, ...] = (
    Column("as_of", "timestamp", "By which labels: those that had arrived at this moment."),
    _count("look", "So many lengths of the period after its end that was."),
    Column(
        "part",
        "string",
        "Of which payments: all, approved, reviewed, blocked, or not blocked, which are those "
        "whose fraud shows itself.",
    ),
    Column("model_versions", "string", "The versions that decided, with ', ' between them."),
    _figure(
        "maturity_days",
        "After how long an unlabelled payment counted as legitimate; null where it was judged "
        "before that was kept.",
        "d",
    ),
    _count("decisions", "Payments that were decided in the period; one that was sent twice once."),
    _count("frauds", "Those of them that a label calls fraud."),
    _count("legitimate", "Those of them that a label calls legitimate."),
    _count("unlabelled", "Those of them of which no label said anything."),
    _count("immature", "Unlabelled ones that may still be told to be a fraud."),
    _figure(
        "average_precision",
        "Mean over the frauds of the share of frauds among what scored as high, within the period; "
        "null without a fraud.",
    ),
    _figure("alerts_a_day", "How many of the highest scores a day could be looked at."),
    _figure("alerts", "How many that makes in the period."),
    _figure("caught", "Frauds among them; of those that share the last score, in proportion."),
    _figure("log_loss", "Mean of -log of the probability given to what was found, in nats."),
    _figure("expected_frauds", "Sum of the scores."),
    _figure("cost", "What the decisions cost, by the policies that made them."),
    _figure("cost_of_approving", "What approving everything would have cost, by the same."),
    _figure("delay_s_p10", "Frauds: from the decision to the label's arrival, a tenth", "s"),
    _figure("delay_s_p50", "Likewise, half of them", "s"),
    _figure("delay_s_p90", "Likewise, nine tenths", "s"),
    _figure("delay_s_max", "Likewise, the longest", "s"),
    Column(
        "left_out",
        "int64",
        "Payments that were reviewed in place of being blocked and have no label: only counts hold "
        "them. Null where it was judged before they were left out.",
        min=0,
        is_nullable=True,
    ),
)
