/// @file
/// Packed filters: what conv2d reads, made by pack_filters.
///
/// The packed weights are those of a matrix [outputs, inputs] in which the channels of a depth block stand tap by tap:
///
///     joined      for each block of channels: for each kh: the block of tap (kh, 0), that of tap (kh, 1), ...; whole steps
///     otherwise   for each block of channels: for each tap (kh, kw): the channels of the block; whole steps
///
/// Of two terms the coarse one has pieces of the same form for its own taps alone.
///
/// Filters of one group without dilation along the width are joined; their blocks are of one size, the last one too: where scales are
/// powers of two, a divisor of the channels that is a multiple of 8 stands for blocks that do not divide them, if that gains. What
/// fills up steps has the value 0, whatever it meets in an image. The outputs of each group begin with a panel of their own,
/// but for those of groups of few channels and 4 or 8 outputs, of which 4 or 2 share one (groups_of_panel).
#pragma once

#include <notch/core/dense_tensor.hpp>
#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/gemm/packed_weights.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace notch {

namespace detail {

/// A rectangle of the taps of filters.
struct filter_taps {
    std::size_t top = 0;
    std::size_t left = 0;
    std::size_t height = 0;
    std::size_t width = 0;
};

/// Groups of a convolution whose outputs share a panel: 2 or 4, whose channels fit sixteen bytes; else 1.
[[nodiscard]] NOTCH_INLINE constexpr std::size_t groups_of_panel(const extents<4>& filters,
                                                                 std::size_t groups) noexcept {
    const std::size_t outputs = filters[0] / groups;
    const std::size_t channels = filters[1];
    if (groups == 1 || (outputs != 4 && outputs != 8) || channels % step_inputs != 0)
        return 1;
    const std::size_t sharing = panel_columns / outputs;
    return sharing * channels <= 16 && groups % sharing == 0 ? sharing : 1;
}

/// Sums of value * 2^shift, as those of packed weights, over parts of the taps; or nothing.
struct tap_sums {
    std::vector<std::int32_t> lines{};   ///< [KH][O]: over all taps of a line
    std::vector<std::int32_t> columns{}; ///< [KW][O]
};

/// Filters of 3 x 3 for minimal filtering: [panels][16][pairs of channels][16][2], see transformed_filters.hpp; or nothing.
struct transformed_filters {
    aligned_buffer<std::int16_t> values{};
    std::size_t steps = 0; ///< of 4 channels

    /// Bytes of one element of a panel.
    [[nodiscard]] std::size_t element_bytes() const noexcept {
        return steps * step_inputs * panel_columns * sizeof(std::int16_t);
    }
    /// Element k of a panel.
    [[nodiscard]] const std::byte* element(std::size_t panel, std::size_t k) const noexcept {
        return reinterpret_cast<const std::byte*>(values.data()) + (panel * 16 + k) * element_bytes();
    }
};

} // namespace detail

/// Filters [O, C / groups, KH, KW] in the form that conv2d reads.
class packed_filters {
public:
    /// Nothing, to be assigned to; what takes weights raises state_error.
    packed_filters() = default;
    /// Filters of some extents in packed weights, see above. `order`: the channels of a group as the weights meet them.
    packed_filters(packed_weights weights, const extents<4>& shape, std::size_t groups, std::size_t block, bool joined,
                   std::vector<std::uint32_t> order, const detail::filter_taps& coarse = {})
        : weights_(std::move(weights)), shape_(shape), groups_(groups), block_(block), joined_(joined),
          order_(std::move(order)), coarse_(coarse) {
        if (group_columns() * groups_ == shape_[0])
            return;
        const auto gather = [this](auto& to, const auto& from) {
            for (std::size_t o = 0; o < shape_[0] && !from.empty(); ++o)
                to.push_back(from[o / group_outputs() * group_columns() + o % group_outputs()]);
        };
        gather(exponents_, weights_.exponents());
        gather(multipliers_, weights_.multipliers());
        gather(scales_, weights_.scales());
        gather(sums_, std::span(weights_.section<std::int32_t>(weights_.header().sums), weights_.outputs()));
    }

    /// [O, C / groups, KH, KW].
    [[nodiscard]] const extents<4>& shape() const noexcept { return shape_; }
    /// O.
    [[nodiscard]] std::size_t outputs() const noexcept { return shape_[0]; }
    /// Groups of channels and outputs.
    [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
    /// Bits of a stored code: 8, 4 or 2.
    [[nodiscard]] int bits() const { return weights_.bits(); }
    /// What the scales are.
    [[nodiscard]] scale_kind kind() const { return weights_.kind(); }
    /// No sum of products with 8-bit codes, less their zero point, has a larger magnitude.
    [[nodiscard]] std::int64_t bound() const { return weights_.bound(); }
    /// Bytes of the packed weights; not of what stands beside them: transformed filters, sums of taps.
    [[nodiscard]] std::size_t size() const { return weights_.bytes().size(); }
    /// For messages; may be empty.
    [[nodiscard]] const std::string& name() const noexcept { return weights_.name(); }
    /// Exponent of the scale that the sums of each output have (times that of the images); power-of-two scales only.
    [[nodiscard]] std::span<const std::int32_t> exponents() const { return either(exponents_, weights_.exponents()); }
    /// Multipliers of the scale that the sums of each output have: scale = multiplier * 2^(exponent - 31); fixed point only.
    [[nodiscard]] std::span<const std::int32_t> multipliers() const {
        return either(multipliers_, weights_.multipliers());
    }
    /// The scale that the sums of each output have, as floats; 1 where blocks have been scaled already.
    [[nodiscard]] std::span<const float> scales() const { return either(scales_, weights_.scales()); }

    /// @cond for the kernels
    [[nodiscard]] const packed_weights& weights() const noexcept { return weights_; }
    [[nodiscard]] const std::int32_t* sums() const {
        return sums_.empty() ? weights_.section<std::int32_t>(weights_.header().sums) : sums_.data();
    }
    [[nodiscard]] std::size_t block() const noexcept { return block_; }
    [[nodiscard]] bool joined() const noexcept { return joined_; }
    [[nodiscard]] std::span<const std::uint32_t> order() const noexcept { return order_; }
    /// Outputs of a group, and columns of its panels.
    [[nodiscard]] std::size_t group_outputs() const noexcept { return shape_[0] / groups_; }
    [[nodiscard]] std::size_t group_columns() const noexcept {
        return groups_ == 1         ? shape_[0]
               : panel_groups() > 1 ? group_outputs()
                                    : round_up(group_outputs(), detail::panel_columns);
    }
    /// Groups whose outputs share a panel.
    [[nodiscard]] std::size_t panel_groups() const noexcept { return detail::groups_of_panel(shape_, groups_); }
    /// Of filters of 3 x 3, where conv2d gains by them; else empty.
    [[nodiscard]] const detail::transformed_filters& transformed() const noexcept { return transformed_; }
    /// Of lines and columns of taps, where there are several.
    [[nodiscard]] const detail::tap_sums& sums_of_taps() const noexcept { return tap_sums_; }
    void set_tap_sums(detail::tap_sums to) noexcept { tap_sums_ = std::move(to); }
    void set_transformed(detail::transformed_filters to) noexcept { transformed_ = std::move(to); }
    /// Blocks of channels of a group.
    [[nodiscard]] std::size_t blocks() const noexcept { return ceil_div(shape_[1], block_); }
    /// Pieces of a depth block, see above.
    [[nodiscard]] std::size_t pieces() const noexcept { return joined_ ? shape_[2] : shape_[2] * shape_[3]; }
    /// Taps of the coarse one of two terms, and pieces of a depth block of it.
    [[nodiscard]] const detail::filter_taps& coarse() const noexcept { return coarse_; }
    [[nodiscard]] std::size_t coarse_pieces() const noexcept {
        return joined_ ? coarse_.height : coarse_.height * coarse_.width;
    }
    /// @endcond

private:
    template <class T>
    [[nodiscard]] static std::span<const T> either(const std::vector<T>& own, std::span<const T> packed) noexcept {
        return own.empty() ? packed : std::span<const T>(own);
    }

    packed_weights weights_;
    extents<4> shape_{};
    std::size_t groups_ = 1;
    std::size_t block_ = 0;
    bool joined_ = false;
    std::vector<std::uint32_t> order_;
    detail::filter_taps coarse_{};
    detail::transformed_filters transformed_{};
    detail::tap_sums tap_sums_{};
    // Of the outputs, where groups do not fill their panels.
    std::vector<std::int32_t> exponents_;
    std::vector<std::int32_t> multipliers_;
    std::vector<float> scales_;
    std::vector<std::int32_t> sums_;
};

} // namespace notch
