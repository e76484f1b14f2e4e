"""The desk in the console: dossiers are received, moved along and handed over (decision 40/2016/QĐ-UBND art. 7)."""
