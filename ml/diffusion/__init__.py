"""The mathematics of diffusion, one axis per file."""
