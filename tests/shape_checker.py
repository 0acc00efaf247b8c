"""The checker of types and shapes that the tests put on every function: an int may stand where a float is expected."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
