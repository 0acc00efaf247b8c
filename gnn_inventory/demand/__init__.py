"""Distributions and panels of sales -> scenarios."""
