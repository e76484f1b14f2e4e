"""How everything runs, on one screen; and telling that it does not."""
