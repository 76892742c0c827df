"""The version of this package: read by the build, the command line and reports."""

__version__ = "0.1.0"
