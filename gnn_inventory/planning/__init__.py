"""A trained policy in people's hands: orders for today, a look back over one's own sales, recipes from tables, exports."""
