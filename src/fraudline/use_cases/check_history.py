"""A report on the quality of the history in BigQuery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Google's clients come with it, and take a second to import
    from fraudline.warehouse.history_quality import QualityReport


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
    from fraudline.warehouse.history_quality import measure_quality

    report = measure_quality(project.warehouse, project.contract, project.load_account)
    return Checked(report, report.save(project.reports))
