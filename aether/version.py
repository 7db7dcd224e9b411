"""The one place that knows this release's number."""

VERSION = "0.1.0"
