"""The faces of Penstock: the command line."""
