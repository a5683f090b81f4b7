"""A report on the quality of the history in BigQuery."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fraudline.contract import Contract
from fraudline.measures.rate_ratio import absence_words, rate_ratio
from fraudline.use_cases.project import Project
from fraudline.warehouse.history_findings import Finding
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
    report = replace(report, findings=[*report.findings, *_absence(report, project.contract)])
    return Checked(report, report.save(project.reports))


def _absence(report: QualityReport, contract: Contract) -> list[Finding]:
    """Of each feature that has nulls, what it says of fraud that a value is missing."""
    found = []
    for column in report.columns:
        others = report.rows - column.nulls
        if column.name not in contract.features or not column.nulls or not others:
            continue
        ratio = rate_ratio(
            column.null_frauds, column.nulls, report.frauds - column.null_frauds, others
        )
        found.append(Finding(True, f"'{column.name}' {absence_words(ratio)}"))
    return found
