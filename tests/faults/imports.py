"""Imported for their own sake: what a worker loads only when it needs it, so that its fork finds it loaded."""

import importlib
from contextlib import suppress

LATE = (
    "torch._dynamo",
    "torch._inductor",
    "torch._export.converter",
    "torch.export",
    "torch.onnx._internal.exporter._core",
    "torch.onnx._internal.exporter._compat",
    "torch.onnx._internal.exporter._onnx_program",
    "torch.utils.tensorboard",
    "onnx.reference",
    "onnxscript",
    "onnxscript.rewriter",
    "onnxscript.optimizer",
    "onnx_ir.passes.common",
    "plotly.graph_objs",
    "plotly.io",
    "plotly.validators",
    "narwhals._pandas_like.dataframe",
    "sklearn.manifold",
    "networkx",
    "onnxscript.function_libs.torch_lib.ops",
    "scipy.fftpack",
    "sympy.combinatorics",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "_plotly_utils.colors.qualitative",
    "plotly.graph_objs.scatter",
    "plotly.graph_objs.layout",
    "plotly.graph_objs.bar",
)


def load() -> None:
    for name in LATE:
        with suppress(ImportError):  # of another version of a library: then the forks load it
            importlib.import_module(name)
