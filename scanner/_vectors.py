"""Vectors of numbers, as values within kernels: what is added, compared and chosen stays in registers between two rows.

LLVM finds vectors in loops by itself, but not where a loop reads and writes so many rows that it cannot tell them
apart; split into several such loops, the work waits for the cache. Here a kernel says ``load(row, k)``, ``a + b``,
``lower(a, b)``, ``store(row, k, a)``. A comparison gives a mask of -1 and 0, so ``mask & value`` is the value or 0.

Kernels that use them have no form without numba's compiler.
"""

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import extending, types
from numba.core.errors import TypingError
from numba.extending import models, overload, register_model

from mirsweep.scanner._bare_kernel import bare_inner_kernel

__all__ = ["WIDTH", "choose", "equal", "less", "load", "lower", "offer", "spread", "store"]

WIDTH = 32 if llvm.get_host_cpu_features().get("avx512bw") else 16
"""Numbers in a vector. 16-bit ones fill a register of AVX-512, or one of AVX2; processors with other registers take
several for one vector."""

intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = extending.intrinsic
"""numba's, without what its type says: called from Python, which no kernel does, an intrinsic never returns."""


class _Vector(types.Type):
    """``WIDTH`` integers of one size."""

    def __init__(self, element: Any):
        super().__init__(name=f"Vector({WIDTH} x {element})")
        self.element = element


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of_type: _Vector):
        super().__init__(manager, of_type, ir.VectorType(ir.IntType(of_type.element.bitwidth), WIDTH))


def _vector(array: types.Type) -> _Vector:
    """The vector that a row holds."""
    if not isinstance(array, types.Array) or array.ndim != 1 or array.layout != "C":
        raise TypingError("vectors are loaded from rows whose elements lie side by side.")
    return _Vector(array.dtype)


def _address(context: Any, builder: Any, array: Any, arguments: Any) -> Any:
    """Where in a row a vector begins."""
    row = context.make_array(array)(context, builder, value=arguments[0])
    of_vector = context.get_value_type(_vector(array)).as_pointer()
    return builder.bitcast(builder.gep(row.data, [arguments[1]]), of_vector)


@intrinsic
def load(_context: Any, row: Any, index: Any) -> Any:
    """Elements ``index`` to ``index + WIDTH`` of a row, which must hold them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(_address(context, builder, signature.args[0], arguments))
        loaded.align = row.dtype.bitwidth // 8
        return loaded

    return _vector(row)(row, types.intp), generate


@intrinsic
def store(_context: Any, row: Any, index: Any, vector: Any) -> Any:
    """Write a vector into a row from element ``index`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        stored = builder.store(arguments[2], _address(context, builder, signature.args[0], arguments))
        stored.align = row.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(row, types.intp, _vector(row)), generate


@intrinsic
def spread(_context: Any, number: Any) -> Any:
    """The same number ``WIDTH`` times; an integer of the size that is wanted."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(context.get_value_type(signature.return_type), ir.Undefined)
        one = builder.insert_element(nothing, arguments[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))

    return _Vector(number)(number), generate


def _of_two(build: Callable[[Any, Any, Any], Any]) -> Any:
    """A function of two vectors, of which a third is made."""

    @intrinsic
    def function(_context: Any, a: Any, b: Any) -> Any:
        if not isinstance(a, _Vector) or a != b:
            raise TypingError(f"two vectors of the same kind are wanted, not {a} and {b}.")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return build(builder, *arguments)

        return a(a, b), generate

    return function


lower = _of_two(lambda builder, a, b: builder.select(builder.icmp_signed("<", a, b), a, b))
"""The lower of each two numbers."""
equal = _of_two(lambda builder, a, b: builder.sext(builder.icmp_signed("==", a, b), a.type))
"""Mask: -1 where two numbers are equal, else 0."""
less = _of_two(lambda builder, a, b: builder.sext(builder.icmp_signed("<", a, b), a.type))
"""Mask: -1 where the first number is below the second, else 0."""


@intrinsic
def choose(_context: Any, mask: Any, a: Any, b: Any) -> Any:
    """``a`` where the mask is set, else ``b``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        none = ir.Constant(arguments[0].type, [0] * WIDTH)
        return builder.select(builder.icmp_signed("!=", arguments[0], none), arguments[1], arguments[2])

    return a(mask, a, a), generate


def _operator(symbol: Callable, build: Callable[[Any, Any, Any], Any]) -> None:
    """Let vectors be combined with an operator; sums wrap around as the processor's do."""
    function = _of_two(build)

    def combined(a: Any, b: Any) -> Any:
        return function(a, b)

    @overload(symbol)
    def for_vectors(a: Any, b: Any) -> Any:
        return combined if isinstance(a, _Vector) and isinstance(b, _Vector) else None


_operator(operator.add, lambda builder, a, b: builder.add(a, b))
_operator(operator.and_, lambda builder, a, b: builder.and_(a, b))
_operator(operator.or_, lambda builder, a, b: builder.or_(a, b))


@bare_inner_kernel
def offer(row: Any, index: Any, vector: Any) -> Any:
    """Keep the lower of a vector and what a row holds from element ``index`` on; it is returned, too."""
    kept = lower(load(row, index), vector)
    store(row, index, kept)
    return kept
