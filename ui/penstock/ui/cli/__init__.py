"""The command line `penstock`. Its shape is in `app`; the other modules do the work."""
