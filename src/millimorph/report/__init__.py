"""What people see: contact sheets of cases and of pipelines, and what files and folders hold."""

from millimorph.report.inspect import FileInspection, FolderInspection, Inspection, inspect_path
from millimorph.report.op_sheet import pipeline_sheet
from millimorph.report.sheet import contact_sheet

__all__ = [
    "FileInspection",
    "FolderInspection",
    "Inspection",
    "contact_sheet",
    "inspect_path",
    "pipeline_sheet",
]
