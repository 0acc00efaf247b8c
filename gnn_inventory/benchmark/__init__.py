"""Suites of problems, policies and seeds: run within a budget, gone on with, and put into one table."""
