"""From a trained generator to images: ONNX export (torch), sampler and pools (ONNX Runtime, no torch)."""
