/// @file
/// Granularity: which elements of a tensor share one scale.
///
/// A granularity cuts a tensor into rectangular blocks; every block has one scale (and one zero
/// point). It is one function, `block(extents) -> extents of a block`; the last block of an axis may
/// be smaller. Weights are [out, in] or [out, in, kh, kw], so axis 0 counts outputs, axis 1 inputs.
///
/// | policy               | block of [O, I, kh, kw] | scales            | changes inside a dot product |
/// |----------------------|-------------------------|-------------------|------------------------------|
/// | per_tensor           | [O, I, kh, kw]          | 1                 | no                           |
/// | per_channel<axis>    | 1 along `axis`          | extent(axis)      | unless axis is 0             |
/// | per_group<K>         | [1, K, kh, kw]          | O ceil(I / K)     | yes                          |
/// | sub_layer<Out, In>   | [Out, In, kh, kw]       | ceil(O/Out) ceil(I/In) | yes                     |
///
/// `splits_reduction` is the last column: there the kernels rescale between depth blocks. Sizes are
/// template arguments, or run-time numbers: `per_group<>{32}`, `sub_layer<>{16, 16}`.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>

#include <array>
#include <climits>
#include <concepts>
#include <cstddef>

namespace notch {

/// A block size that is given at run time.
inline constexpr std::size_t run_time_size = 0;

/// An axis that is given at run time.
inline constexpr int run_time_axis = INT_MIN;

/// One scale for the whole tensor.
struct per_tensor {
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = false;
    /// The whole tensor.
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        return shape;
    }
};

namespace detail {

/// Resolves an axis that may count from the end; raises shape_error when the tensor has no such axis.
[[nodiscard]] constexpr std::size_t resolve_axis(int axis, std::size_t rank) {
    const int from_front = axis < 0 ? axis + static_cast<int>(rank) : axis;
    if (from_front < 0 || from_front >= static_cast<int>(rank))
        raise<shape_error>("per_channel: axis ", axis, " does not exist in a tensor of rank ", rank);
    return static_cast<std::size_t>(from_front);
}

[[nodiscard]] constexpr std::size_t checked_block(std::size_t size, const char* what) {
    if (size == 0)
        raise<shape_error>(
            what, ": a block of size 0; run-time sizes are given as in per_group<>{32} or sub_layer<>{16, 16}");
    return size;
}

} // namespace detail

/// One scale per index of one axis; a negative axis counts from the last one.
template <int Axis = 0> struct per_channel {
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = Axis != 0;
    /// The axis that is cut.
    static constexpr int axis = Axis;

    /// Extent 1 along the axis, everything along the others.
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        static_assert(Axis < static_cast<int>(Rank) && Axis >= -static_cast<int>(Rank),
                      "per_channel<axis>: the tensor has no such axis; use an axis below its rank");
        extents<Rank> result = shape;
        result[detail::resolve_axis(Axis, Rank)] = 1;
        return result;
    }
};

/// One scale per index of an axis chosen at run time: per_channel<run_time_axis>{axis}.
template <> struct per_channel<run_time_axis> {
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = true;
    int axis = 0; ///< the axis that is cut; negative counts from the last one

    /// Extent 1 along the axis, everything along the others. Raises shape_error for an axis that does not exist.
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        extents<Rank> result = shape;
        result[detail::resolve_axis(axis, Rank)] = 1;
        return result;
    }
};

namespace detail {

template <std::size_t Rank>
[[nodiscard]] constexpr extents<Rank> block_of(const extents<Rank>& shape, std::size_t outputs, std::size_t inputs) {
    extents<Rank> result = shape;
    result[0] = outputs < shape[0] ? outputs : shape[0];
    if constexpr (Rank >= 2)
        result[1] = inputs < shape[1] ? inputs : shape[1];
    return result;
}

} // namespace detail

/// One scale per output channel and group of K input channels. Kernel taps belong to their channel.
template <std::size_t K = run_time_size> struct per_group {
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = true;
    /// Input channels that share a scale.
    static constexpr std::size_t size = K;

    /// [1, K, ...], cut to the tensor.
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        static_assert(Rank >= 2, "per_group cuts [out, in, ...]: the tensor needs at least two axes");
        return detail::block_of(shape, 1, K);
    }
};

/// per_group with a group size given at run time: per_group<>{32}.
template <> struct per_group<run_time_size> {
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = true;
    std::size_t size = 0; ///< input channels that share a scale, at least 1

    /// [1, size, ...], cut to the tensor. Raises shape_error for size 0.
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        static_assert(Rank >= 2, "per_group cuts [out, in, ...]: the tensor needs at least two axes");
        return detail::block_of(shape, 1, detail::checked_block(size, "per_group"));
    }
};

namespace detail {
template <std::size_t Out, std::size_t In>
concept both_block_sizes_or_none = (Out == run_time_size) == (In == run_time_size);
} // namespace detail

/// One scale per block of Out output and In input channels: the sub-layer-wise scales of PTQ-SL. Both sizes are
/// given, or none and both are set at run time: sub_layer<>{16, 16}. Source: Yuan et al., arXiv 2110.07809.
template <std::size_t Out = run_time_size, std::size_t In = run_time_size>
    requires detail::both_block_sizes_or_none<Out, In>
struct sub_layer {
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = true;
    static constexpr std::size_t out = Out; ///< output channels of a block
    static constexpr std::size_t in = In;   ///< input channels of a block

    /// [Out, In, ...], cut to the tensor.
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        static_assert(Rank >= 2, "sub_layer cuts [out, in, ...]: the tensor needs at least two axes");
        return detail::block_of(shape, Out, In);
    }
};

/// sub_layer with block sizes given at run time: sub_layer<>{16, 16}.
template <> struct sub_layer<run_time_size, run_time_size> {
    /// Whether the scale can change inside a dot product.
    static constexpr bool splits_reduction = true;
    std::size_t out = 0; ///< output channels of a block, at least 1
    std::size_t in = 0;  ///< input channels of a block, at least 1

    /// [out, in, ...], cut to the tensor. Raises shape_error for a size of 0.
    template <std::size_t Rank> [[nodiscard]] constexpr extents<Rank> block(const extents<Rank>& shape) const {
        static_assert(Rank >= 2, "sub_layer cuts [out, in, ...]: the tensor needs at least two axes");
        return detail::block_of(shape, detail::checked_block(out, "sub_layer"), detail::checked_block(in, "sub_layer"));
    }
};

/// A granularity: `block(extents<Rank>) -> extents<Rank>` and `splits_reduction`.
template <class G>
concept granularity = std::copyable<G> && requires(const G& grain, const extents<2>& shape) {
    { grain.block(shape) } -> std::same_as<extents<2>>;
    { G::splits_reduction } -> std::convertible_to<bool>;
};

/// How a granularity cuts one tensor: extents, extents of a full block, blocks along each axis.
/// Blocks are numbered in row-major order of their position.
template <std::size_t Rank> struct block_grid {
    extents<Rank> shape{};  ///< extents of the tensor
    extents<Rank> block{};  ///< extents of a full block, 1 <= block[i] <= max(shape[i], 1)
    extents<Rank> blocks{}; ///< number of blocks along each axis
    std::size_t count = 0;  ///< number of blocks

    /// The number of the block at a position among the blocks.
    [[nodiscard]] constexpr std::size_t block_number(const extents<Rank>& position) const noexcept {
        std::size_t number = 0;
        for (std::size_t axis = 0; axis < Rank; ++axis)
            number = number * blocks[axis] + position[axis];
        return number;
    }

    /// The number of the block that holds an element.
    template <class... Index>
        requires(sizeof...(Index) == Rank)
    [[nodiscard]] constexpr std::size_t block_of(Index... index) const noexcept {
        extents<Rank> position{static_cast<std::size_t>(index)...};
        for (std::size_t axis = 0; axis < Rank; ++axis)
            position[axis] /= block[axis];
        return block_number(position);
    }
};

/// Cuts a tensor. Raises shape_error when a granularity returns a block of extent 0.
template <granularity G, std::size_t Rank>
[[nodiscard]] constexpr block_grid<Rank> make_grid(const G& grain, const extents<Rank>& shape) {
    block_grid<Rank> grid{shape, grain.block(shape), {}, 1};
    for (std::size_t axis = 0; axis < Rank; ++axis) {
        if (grid.block[axis] == 0 && shape[axis] != 0)
            detail::raise<shape_error>("granularity: a block of extents ", grid.block, " in a tensor of extents ",
                                       shape);
        if (grid.block[axis] > shape[axis]) // a larger block is the whole axis
            grid.block[axis] = shape[axis];
        if (grid.block[axis] == 0)
            grid.block[axis] = 1;
        grid.blocks[axis] = ceil_div(shape[axis], grid.block[axis]);
        grid.count *= grid.blocks[axis];
    }
    return grid;
}

} // namespace notch
