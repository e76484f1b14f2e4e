"""The words of the one-stop desk: frozen values and pure functions; standard library only, no I/O, no clock."""
