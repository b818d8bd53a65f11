"""millimorph: every spatial augmentation as one resample in physical space."""
