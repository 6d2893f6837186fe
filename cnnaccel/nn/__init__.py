"""The float side: data, models and training. Knows torch; knows nothing of quantized numbers."""
