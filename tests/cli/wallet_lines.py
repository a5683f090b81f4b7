"""Files of wallet payments, and what the history holds of them."""

from __future__ import annotations

from pathlib import Path

from fraudline.use_cases.project import Project
from fraudline.warehouse.query import query

HEADER = (
    "payment_id,paid_at,amount_minor,velocity,distance_km,is_abroad,risk_note,is_fraud,merchant"
)


def line(number: int, *, is_fraud: bool = False, **changes: str) -> str:
    values = {
        "payment_id": f"p-{number}",
        "paid_at": f"2026-01-0{1 + number % 9}T03:04:05Z",
        "amount_minor": str(number),
        "velocity": f"{number % 7}.5",
        "distance_km": "2",
        "is_abroad": "true",
        "risk_note": "",
        "is_fraud": str(int(is_fraud)),
        "merchant": "shop",
    }
    return ",".join({**values, **changes}.values())


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def stored(project: Project) -> int:
    return query(project.warehouse, "SELECT COUNT(*) AS n FROM history").to_pylist()[0]["n"]
