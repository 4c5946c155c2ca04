"""One HTML file that shows how good a forecast is and what it rests on."""

from zeroshot_core.report.gallery import FoundPicture, Gallery, GalleryQuery, write_gallery
from zeroshot_core.report.page import write_report
from zeroshot_core.report.report_data import (
    Calibration,
    Example,
    MetricColumn,
    MetricRow,
    ReportData,
    TotalRow,
)

__all__ = [
    "Calibration",
    "Example",
    "FoundPicture",
    "Gallery",
    "GalleryQuery",
    "MetricColumn",
    "MetricRow",
    "ReportData",
    "TotalRow",
    "write_gallery",
    "write_report",
]
