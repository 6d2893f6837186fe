"""Models inside the wrappers that training puts around them: these compute nothing themselves."""

from __future__ import annotations

from torch import nn
from torch.fx import GraphModule
from torch.jit import ScriptModule

from cnnaccel.errors import ModelError

_INSIDE = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "AveragedModel": "module",
    "OptimizedModule": "_orig_mod",  # torch.compile
}
"""The attribute with the model, by the name of the wrapper's class, of any package."""


def unwrap(model: nn.Module) -> nn.Module:
    """`model` without wrappers, its own and those around parts of it, and without compilation.

    Raises:
        ModelError: it is no module of Python's any more, but TorchScript or an exported program.
    """
    model = _inside(model)
    for path, module in list(model.named_modules()):
        where = f"its part '{path}' is" if path else "it is"
        if isinstance(module, ScriptModule):
            raise ModelError(
                f"{where} TorchScript, whose layers are not seen; give the module inside, the one "
                "that was scripted or traced"
            )
        for name, child in list(module._modules.items()):
            if child is not None and (inner := _inside(child)) is not child:
                setattr(module, name, unwrap(inner))
        if module._compiled_call_impl is not None:  # module.compile()
            module._compiled_call_impl = None
        if isinstance(module, GraphModule):
            _require_training_mode(module, where)
    return model


def _require_training_mode(module: GraphModule, where: str) -> None:
    try:
        module.train(module.training)
    except NotImplementedError:
        raise ModelError(
            f"{where} an exported program, which has no training mode; give the module that was "
            "exported"
        ) from None


def _inside(module: nn.Module) -> nn.Module:
    while True:
        names = (_INSIDE.get(made.__name__) for made in type(module).__mro__)
        inner = next((getattr(module, name, None) for name in names if name), None)
        if not isinstance(inner, nn.Module):
            return module
        module = inner
