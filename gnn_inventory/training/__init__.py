"""HDPO: recipes, the training loop, checkpoints and run folders."""
