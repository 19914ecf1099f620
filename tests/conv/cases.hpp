/// @file
/// Images, filters and geometries for the tests of the conv room, by chance, and what they mean in plain numbers.
#pragma once

#include "catch.hpp"
#include "gemm/cases.hpp"

#include <notch/conv/geometry.hpp>
#include <notch/conv/image.hpp>
#include <notch/simd/arch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace conv_cases {

using namespace notch;
using cases::sequence;

/// Images with strides by chance: axes in any order in memory, gaps, and axes that run backwards.
template <class T> class any_strides {
public:
    any_strides(sequence& random, const extents<4>& shape, T fill = T{}) : shape_(shape) {
        std::array<std::size_t, 4> order{3, 2, 1, 0}; // innermost first
        if (random.between(0, 2) == 0)
            for (std::size_t i = 3; i > 0; --i)
                std::swap(order[i], order[random.size(0, i)]);
        std::size_t step = random.between(0, 3) == 0 ? 2 : 1;
        std::ptrdiff_t first = 0;
        for (const std::size_t axis : order) {
            steps_[axis] = static_cast<std::ptrdiff_t>(step);
            step *= shape[axis];
            step += random.between(0, 2) == 0 ? random.size(1, 3) : 0; // a gap
            if (random.between(0, 5) == 0 && shape[axis] > 0) {
                first += static_cast<std::ptrdiff_t>(shape[axis] - 1) * steps_[axis];
                steps_[axis] = -steps_[axis];
            }
        }
        memory_.assign(step + 8, fill);
        first_ = static_cast<std::size_t>(first);
    }
    [[nodiscard]] strided_view<T, 4> view() { return {memory_.data() + first_, shape_, steps_}; }
    [[nodiscard]] strided_view<const T, 4> read() const { return {memory_.data() + first_, shape_, steps_}; }
    [[nodiscard]] T& at(std::size_t n, std::size_t h, std::size_t w, std::size_t c) { return view()(n, h, w, c); }
    [[nodiscard]] T at(std::size_t n, std::size_t h, std::size_t w, std::size_t c) const { return read()(n, h, w, c); }
    [[nodiscard]] const extents<4>& shape() const { return shape_; }
    /// Everything, gaps too.
    [[nodiscard]] const std::vector<T>& memory() const { return memory_; }
    /// True where memory outside the elements still holds a number. Overwrites the elements.
    [[nodiscard]] bool gaps_hold(T fill) {
        for_each_element(view(), [fill](T& element) { element = fill; });
        for (const T number : memory_)
            if (number != fill)
                return false;
        return true;
    }

private:
    extents<4> shape_{};
    strides<4> steps_{};
    std::vector<T> memory_;
    std::size_t first_ = 0;
};

/// True for instruction sets that this program tests. Where another one is built for AVX2, it leaves that and weaker ones to it.
template <class Arch>
#if defined(ONLY_BEYOND_AVX2)
inline constexpr bool is_tested = simd::compiled_for<Arch> && !simd::extends<simd::avx2, Arch>;
#else
inline constexpr bool is_tested = simd::compiled_for<Arch>;
#endif

/// What codes are like.
enum class filling { random, lowest, highest };

template <class T> void fill_codes(sequence& random, any_strides<T>& images, filling fill = filling::random) {
    constexpr std::int32_t low = std::is_signed_v<T> ? -128 : 0;
    for_each_element(images.view(), [&](T& code) {
        code = static_cast<T>(fill == filling::lowest    ? low
                              : fill == filling::highest ? low + 255
                                                         : random.between(low, low + 255));
    });
}

/// Images of some extents, a zero point, and an exponent or a scale.
template <class T> struct any_images {
    any_strides<T> codes;
    std::int32_t zero_point = 0;
    std::int32_t exponent = 0;
    float scale = 0;

    any_images(sequence& random, const extents<4>& shape, filling fill = filling::random) : codes(random, shape) {
        fill_codes(random, codes, fill);
        constexpr std::int32_t zeros[] = {0, 0, 255, 128, 127, 1, 77};
        zero_point = random.one_of(zeros) + (std::is_signed_v<T> ? -128 : 0);
        exponent = random.between(-3, 3);
    }
    [[nodiscard]] image_codes<T> plain() const { return {codes.read(), zero_point, exponent, scale}; }
    /// Code less the zero point; 0 outside the image.
    [[nodiscard]] std::int64_t centred(std::size_t n, std::int64_t h, std::int64_t w, std::size_t c) const {
        if (h < 0 || w < 0 || h >= static_cast<std::int64_t>(codes.shape()[1]) ||
            w >= static_cast<std::int64_t>(codes.shape()[2]))
            return 0;
        return codes.at(n, static_cast<std::size_t>(h), static_cast<std::size_t>(w), c) - zero_point;
    }
};

/// Calls body(n, h, w, c) for every place of a tensor.
template <class Body> void for_each_place(const extents<4>& shape, const Body& body) {
    for (std::size_t n = 0; n < shape[0]; ++n)
        for (std::size_t h = 0; h < shape[1]; ++h)
            for (std::size_t w = 0; w < shape[2]; ++w)
                for (std::size_t c = 0; c < shape[3]; ++c)
                    body(n, h, w, c);
}

/// The message of the error of some type that a call raises; fails where there is none.
template <class Error, class Call> std::string message_of(const Call& call) {
    try {
        call();
    } catch (const Error& e) {
        return e.what();
    } catch (const error& e) {
        FAIL_CHECK("another error: " << e.what());
        return {};
    }
    FAIL_CHECK("no error");
    return {};
}

} // namespace conv_cases
