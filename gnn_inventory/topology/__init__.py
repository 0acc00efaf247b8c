"""Networks: schema, validation, YAML, families and the catalogue."""
