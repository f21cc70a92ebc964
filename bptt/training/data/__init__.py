"""Data: files to records, records to the arguments of a generated module."""
