/// @file
/// Convolutions to measure: their shapes, read from a file, and operands for the peers and us.
///
/// One image [H, W, C] of uint8 and filters [O, C / groups, KH, KW] give [OH, OW, O] codes of uint8.
#pragma once

#include "../shape_file.hpp"

#include <notch/conv/geometry.hpp>
#include <notch/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bench {

/// A line of the file.
struct conv_shape {
    std::size_t h = 0; ///< of the image
    std::size_t w = 0;
    std::size_t channels = 0;
    std::size_t outputs = 0;
    std::size_t kernel_h = 0;
    std::size_t kernel_w = 0;
    std::size_t stride = 1;
    std::size_t padding = 0; ///< on all sides
    std::size_t dilation = 1;
    std::size_t groups = 1;

    /// "56x56x64-64_3x3", and what is unusual: stride, padding other than half the kernel, dilation, groups.
    [[nodiscard]] std::string name() const {
        const auto number = [](std::size_t n) { return std::to_string(n); };
        std::string text = number(h) + "x" + number(w) + "x" + number(channels) + "-" + number(outputs) + "_" +
                           number(kernel_h) + "x" + number(kernel_w);
        if (stride != 1)
            text += "_s" + number(stride);
        if (padding != (kernel_h - 1) * dilation / 2)
            text += "_p" + number(padding);
        if (dilation != 1)
            text += "_d" + number(dilation);
        if (groups != 1)
            text += "_g" + number(groups);
        return text;
    }
    [[nodiscard]] notch::conv_geometry geometry() const {
        return {{stride, stride}, {dilation, dilation}, {padding, padding, padding, padding}, groups};
    }
    /// [1, H, W, C].
    [[nodiscard]] notch::extents<4> image() const { return {1, h, w, channels}; }
    /// [O, C / groups, KH, KW].
    [[nodiscard]] notch::extents<4> filters() const { return {outputs, channels / groups, kernel_h, kernel_w}; }
    /// [1, OH, OW, O].
    [[nodiscard]] notch::extents<4> result() const { return notch::conv_extents(image(), filters(), geometry()); }
    /// Products of one output.
    [[nodiscard]] std::size_t inputs() const { return channels / groups * kernel_h * kernel_w; }
    /// Two for each product, those with padding included.
    [[nodiscard]] double operations() const {
        return 2.0 * static_cast<double>(notch::element_count(result())) * static_cast<double>(inputs());
    }
    [[nodiscard]] bool is_depthwise() const { return groups > 1 && groups == channels && outputs % channels == 0; }
};

/// The shapes of a file. Ends the program with a message where it cannot be read.
inline std::vector<conv_shape> read_conv_shapes(const std::string& path) {
    return read_lines<conv_shape>(path, "H W Cin Cout Kh Kw stride padding dilation groups that make a convolution",
                                  [](const std::vector<std::size_t>& n) -> std::optional<conv_shape> {
                                      if (n.size() != 10)
                                          return std::nullopt;
                                      const conv_shape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]};
                                      try {
                                          if (s.groups == 0 || s.channels % s.groups != 0)
                                              return std::nullopt;
                                          static_cast<void>(s.result());
                                      } catch (const notch::error&) {
                                          return std::nullopt;
                                      }
                                      return s;
                                  });
}

/// Operands of one convolution. Codes are uniform over the whole range, scales spread the results over theirs.
struct conv_problem {
    conv_shape shape;
    std::vector<std::uint8_t> source;      ///< [H, W, C]
    std::vector<std::int8_t> weights;      ///< [O, C / groups, KH, KW], from -127
    std::vector<std::int32_t> bias;        ///< [O], in units of the sum
    std::vector<float> scales;             ///< [O]
    std::vector<float> real_source;        ///< the same as reals
    std::vector<float> real_weights;       ///< the same as reals
    std::vector<float> real_bias;          ///< the same as reals
    double deviation = 0;                  ///< of a sum
    static constexpr int zero_point = 119; ///< of the source, in rows that have one

    explicit conv_problem(const conv_shape& s)
        : shape(s), deviation(10850.0 * std::sqrt(static_cast<double>(s.inputs()))) {
        const auto below = [](std::uint64_t seed, std::size_t i, std::uint64_t limit) {
            return static_cast<int>((notch::counter_bits(seed, i) >> 32) % limit);
        };
        source.resize(notch::element_count(s.image()));
        for (std::size_t i = 0; i < source.size(); ++i)
            source[i] = static_cast<std::uint8_t>(below(1, i, 256));
        weights.resize(notch::element_count(s.filters()));
        for (std::size_t i = 0; i < weights.size(); ++i)
            weights[i] = static_cast<std::int8_t>(below(2, i, 255) - 127);
        real_source.assign(source.begin(), source.end());
        real_weights.assign(weights.begin(), weights.end());
        for (std::size_t i = 0; i < s.outputs; ++i) {
            bias.push_back(static_cast<std::int32_t>(deviation * (2.0 * notch::counter_uniform(3, i))));
            scales.push_back(static_cast<float>((0.5 + notch::counter_uniform(4, i)) * 64.0 / deviation));
        }
        real_bias.assign(bias.begin(), bias.end());
    }
};

/// Operands of a shape; those of the last one are kept.
inline std::shared_ptr<const conv_problem> problem_of(const conv_shape& s) {
    static std::shared_ptr<const conv_problem> last;
    if (!last || last->shape.name() != s.name()) {
        last.reset();
        last = std::make_shared<const conv_problem>(s);
    }
    return last;
}

/// Calls visit(position in the codes [OH, OW, O], y, x, o) for some outputs: all, or about 500 that are spread evenly.
template <class Visit> void for_some_outputs(const conv_shape& s, const Visit& visit) {
    const notch::extents<4> to = s.result();
    const std::size_t count = notch::element_count(to);
    const std::size_t step = count / 500 | 1U; // odd: not always the same channels
    for (std::size_t i = 0; i < count; i += step)
        visit(i, i / to[3] / to[2], i / to[3] % to[2], i % to[3]);
}

/// Calls visit(index in the source, index in the filters, channel of the filters) for each tap of an output inside the
/// image.
template <class Visit>
void for_each_tap(const conv_shape& s, std::size_t y, std::size_t x, std::size_t o, const Visit& visit) {
    const std::size_t count = s.channels / s.groups;
    const std::size_t first = o / (s.outputs / s.groups) * count;
    for (std::size_t c = 0; c < count; ++c)
        for (std::size_t i = 0; i < s.kernel_h; ++i)
            for (std::size_t j = 0; j < s.kernel_w; ++j) {
                // Positions before the image wrap to numbers beyond it.
                const std::size_t h = y * s.stride + i * s.dilation - s.padding;
                const std::size_t w = x * s.stride + j * s.dilation - s.padding;
                if (h < s.h && w < s.w)
                    visit((h * s.w + w) * s.channels + first + c, ((o * count + c) * s.kernel_h + i) * s.kernel_w + j,
                          c);
            }
}

} // namespace bench
