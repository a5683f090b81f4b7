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
    """Measure what each column holds, and what the history may be suspected of.

    Raises:
        WarehouseError: there is no history table, or BigQuery cannot be reached.
    """
    account = project.load_account
    if not account.is_file():
        # Where it stood when all contracts of a home shared it; it names the table it is about.
        account = account.parent.parent / account.name
    report = measure_history_quality(project.warehouse, project.contract, account)
    return Checked(report, report.save(project.reports))
