"""`python -m gnn_inventory`: the command line."""

from gnn_inventory.cli import main

if __name__ == "__main__":
    main()
