/// @file
/// The work of one layer on some images, as forward.hpp hands it to the functions that compute.
#pragma once

#include <notch/model/layer_shape.hpp>

#include <cstddef>
#include <vector>

namespace notch::detail {

/// A tensor of some images, one behind the other.
struct image_floats {
    const float* data = nullptr;
    const shape_of_image* shape = nullptr; ///< of one image
    std::size_t count = 0;                 ///< elements of one image

    /// The elements of an image.
    [[nodiscard]] const float* image(std::size_t n) const noexcept { return data + n * count; }
};

/// One layer on some images. The output overlaps no input.
struct float_job {
    std::vector<image_floats> inputs{};
    float* output = nullptr;
    const shape_of_image* shape = nullptr; ///< of the output, of one image
    std::size_t count = 0;                 ///< elements of the output, of one image
    std::size_t images = 0;

    /// The elements of an image of the output.
    [[nodiscard]] float* image(std::size_t n) const noexcept { return output + n * count; }
};

} // namespace notch::detail
