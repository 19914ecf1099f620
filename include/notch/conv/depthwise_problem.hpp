/// @file
/// The numbers of a depthwise convolution.
#pragma once

#include <cstddef>
#include <cstdint>

namespace notch::detail {

/// All numbers of a depthwise convolution. Strides count elements. Source codes are int8 where is_signed.
struct depthwise_problem {
    const std::uint8_t* source = nullptr;
    bool is_signed = false;
    std::int32_t zero_point = 0;
    std::size_t images = 1;
    std::size_t height = 0;
    std::size_t width = 0;
    std::size_t channels = 0;
    std::ptrdiff_t image_stride = 0;
    std::ptrdiff_t line_stride = 0;
    std::ptrdiff_t pixel_stride = 0;
    std::ptrdiff_t channel_stride = 1;
    std::size_t multiplier = 1; ///< outputs per channel
    std::size_t kernel_h = 1;
    std::size_t kernel_w = 1;
    std::size_t out_height = 0;
    std::size_t out_width = 0;
    std::size_t stride_h = 1;
    std::size_t stride_w = 1;
    std::size_t dilation_h = 1;
    std::size_t dilation_w = 1;
    std::size_t top = 0;                ///< padded lines above
    std::size_t left = 0;               ///< padded columns on the left
    std::uint32_t largest_weight = 128; ///< in magnitude

    /// Output channels.
    [[nodiscard]] std::size_t outputs() const noexcept { return channels * multiplier; }
    /// Bytes of the source.
    [[nodiscard]] std::size_t source_bytes() const noexcept { return images * height * width * channels; }
};

} // namespace notch::detail
