"""A report on the quality of the history in BigQuery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fraudline.use_cases.project import Project
from fraudline.warehouse.history_quality import QualityReport, measure_history_quality


@dataclass(frozen=True)
class Checked:
    """A report, and the file in which it is kept."""

    report: QualityReport
    file: Path


def check_history(project: Project) -> Checked:
    """Measure nulls, types, ranges, duplicates and class ratio, and what `load` refused.

    Raises:
        WarehouseError: there is no history table, or BigQuery cannot be reached.
    """
    report = measure_history_quality(project.warehouse, project.contract, project.load_account)
    return Checked(report, report.save(project.reports))
