"""The same work by millimorph and by the libraries its users have today, timed in one run."""
