"""cnnaccel: a PyTorch CNN, exact in int8, on a small FPGA."""

__version__ = "0.1.0"
