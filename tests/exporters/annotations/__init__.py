"""Tests of the files in the forms of annotated datasets."""
