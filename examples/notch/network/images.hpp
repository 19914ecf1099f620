/// @file
/// Images and labels of files.
#pragma once

#include "settings.hpp"

#include <cstddef>
#include <cstdint>
#include <notch/deploy/pixel_scaling.hpp>
#include <span>
#include <string>
#include <vector>

namespace tool {

/// Images of a file: bytes of pixels [n, H, W, C], or floats [n, C, H, W] that the network takes as they are.
class image_file {
public:
    /// Reads a file of raw bytes, or a .npy file of uint8 or of floats. `option` stands for it in messages. `shape`: extents
    /// [C, H, W], or [F], of the network's input. Raises std::runtime_error for images of other extents.
    image_file(const std::string& option, const std::string& path, const network_settings& settings,
               const std::vector<std::size_t>& shape);
    /// Images of random pixels.
    image_file(std::size_t count, const network_settings& settings, const std::vector<std::size_t>& shape);

    /// How many.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Numbers of one.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Whether they are bytes.
    [[nodiscard]] bool has_pixels() const noexcept { return floats_.empty(); }
    /// How bytes become floats.
    [[nodiscard]] const notch::pixel_scaling& scaling() const noexcept { return scaling_; }
    /// Bytes of some images. Precondition: has_pixels().
    [[nodiscard]] std::span<const std::uint8_t> pixels(std::size_t first, std::size_t count) const noexcept {
        return std::span(pixels_).subspan(first * size_, count * size_);
    }
    /// Floats [count, C, H, W] of some images.
    void floats(std::size_t first, std::size_t count, std::span<float> to) const;
    /// Whether one number is everywhere.
    [[nodiscard]] bool is_constant() const noexcept;
    /// Keeps `wanted` of the images, drawn by a seed, the first ones for seed 0; all, where there are no more.
    void draw(std::size_t wanted, std::uint64_t seed);

private:
    void read_npy_file(const std::string& option, const std::string& path, const std::vector<std::size_t>& shape);

    std::vector<std::uint8_t> pixels_{};
    std::vector<float> floats_{};
    notch::pixel_scaling scaling_{};
    std::size_t channels_ = 1;
    std::size_t size_ = 1;
    std::size_t count_ = 0;
};

/// Labels of `count` images, a byte each or a .npy file of integers. Raises std::runtime_error for another number, and for
/// labels of `classes` and more.
[[nodiscard]] std::vector<std::size_t> read_labels(const std::string& path, std::size_t count, std::size_t classes);

} // namespace tool
