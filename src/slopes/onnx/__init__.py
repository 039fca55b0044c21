"""ONNX, the exchange format of neural networks: models out of slopes and into it."""
