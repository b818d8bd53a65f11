"""How programs are run: `cpu` is compiled, `reference` in float64 NumPy defines what is correct."""
