"""Files that people hand in: what one truly is, and whether it is fit to be kept and opened. Nothing it says is believed."""

from intake.uploads.kinds import FORMATS, FileFormat, Sniffed, UploadRefusal
from intake.uploads.names import safe_file_name

__all__ = ["FORMATS", "FileFormat", "Sniffed", "UploadRefusal", "safe_file_name"]
