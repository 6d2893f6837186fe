"""Programs outside Python: found, asked, run. The only floor that starts processes."""
