/// @file
/// Labelled images of ten shapes: what the network in shapes.onnx is trained and tested on.
///
/// An image depends on its seed and its number, and on nothing else. All arithmetic is in integers, so the bytes are
/// the same with every compiler and on every machine.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace shapes {

inline constexpr std::size_t image_side = 32; ///< pixels
inline constexpr std::size_t image_channels = 3;

/// The classes, in the order of the labels.
inline constexpr std::array<std::string_view, 10> class_names = {"disc", "ring",     "square", "triangle", "cross",
                                                                 "star", "crescent", "heart",  "stripes",  "checker"};

/// The bytes of one image: [row, column, channel].
using image = std::array<std::uint8_t, image_side * image_side * image_channels>;

/// An image, and the position of its class in class_names.
struct labelled_image {
    image pixels;
    std::uint8_t label;
};

namespace detail {

/// 64 well-mixed bits for one index of one stream: the output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
[[nodiscard]] constexpr std::uint64_t counter_bits(std::uint64_t seed, std::uint64_t index) noexcept {
    std::uint64_t z = seed + (index + 1) * 0x9E37'79B9'7F4A'7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
    return z ^ (z >> 31);
}

/// The random choices of one image, one after the other.
class choices {
public:
    explicit constexpr choices(std::uint64_t key) noexcept : key_(key) {}

    /// A whole number from lowest to highest.
    [[nodiscard]] constexpr std::int32_t from(std::int32_t lowest, std::int32_t highest) noexcept {
        const auto count = static_cast<std::uint64_t>(highest - lowest) + 1;
        return lowest + static_cast<std::int32_t>(((counter_bits(key_, next_++) >> 32) * count) >> 32);
    }

private:
    std::uint64_t key_;
    std::uint64_t next_ = 0;
};

// Fixed point: a position on the image counts 1/256 of a pixel, a direction 1/16384, a coordinate of a shape 1/4096 of
// its radius, and a channel on the canvas 1/16 of a step of the image.
inline constexpr std::int32_t pixel = 256;
inline constexpr std::int32_t full_turn = 16384;
inline constexpr std::int32_t unit = 4096;
inline constexpr std::int32_t step = 16;

using color = std::array<std::int32_t, image_channels>;
using canvas = std::array<color, image_side * image_side>;

/// Cosine and sine of an angle.
struct direction {
    std::int32_t cosine;
    std::int32_t sine;
};

/// Any direction, as the rational point ((1 - t^2) / (1 + t^2), 2t / (1 + t^2)) of the circle or its opposite.
[[nodiscard]] constexpr direction any_direction(choices& random) noexcept {
    const std::int32_t t = random.from(-128, 127); // of 128
    const std::int32_t sign = random.from(0, 1) == 0 ? -full_turn : full_turn;
    const std::int32_t square = 128 * 128;
    return {sign / 2 * (square - t * t) / (square + t * t) * 2, sign / 2 * (256 * t) / (square + t * t) * 2};
}

[[nodiscard]] constexpr color any_color(choices& random) noexcept {
    const std::int32_t red = random.from(0, 255);
    const std::int32_t green = random.from(0, 255);
    return {red, green, random.from(0, 255)};
}

/// The difference of two colours, summed over their channels.
[[nodiscard]] constexpr std::int32_t contrast(const color& a, const color& b) noexcept {
    std::int32_t sum = 0;
    for (std::size_t c = 0; c < image_channels; ++c)
        sum += a[c] < b[c] ? b[c] - a[c] : a[c] - b[c];
    return sum;
}

/// Where a shape lies on the image: its centre, and its axes divided by its radii.
struct placement {
    std::int32_t x;
    std::int32_t y;
    direction across; ///< per pixel along x
    direction down;   ///< per pixel along y
};

/// A shape at (x, y), turned, with a radius along each of its axes.
[[nodiscard]] constexpr placement place(std::int32_t x, std::int32_t y, direction turn, std::int32_t x_radius,
                                        std::int32_t y_radius) noexcept {
    return {x,
            y,
            {turn.cosine * pixel / x_radius, -turn.sine * pixel / y_radius},
            {turn.sine * pixel / x_radius, turn.cosine * pixel / y_radius}};
}

/// Blends a colour into the canvas where inside(x, y) holds, by 4 x 4 samples a pixel. Opacity is of 16.
template <class Inside>
constexpr void paint(canvas& picture, const placement& where, const color& ink, std::int32_t opacity,
                     const Inside& inside) {
    constexpr std::int32_t samples = 4;
    const auto side = static_cast<std::int32_t>(image_side);
    for (std::int32_t row = 0; row < side; ++row) {
        for (std::int32_t column = 0; column < side; ++column) {
            std::int32_t covered = 0;
            for (std::int32_t sample = 0; sample < samples * samples; ++sample) {
                const std::int32_t half = pixel / samples / 2;
                const std::int32_t dx = column * pixel + (sample % samples * 2 + 1) * half - where.x;
                const std::int32_t dy = row * pixel + (sample / samples * 2 + 1) * half - where.y;
                const std::int32_t x = (dx * where.across.cosine + dy * where.down.cosine) / (1 << 10);
                const std::int32_t y = (dx * where.across.sine + dy * where.down.sine) / (1 << 10);
                if (x > -2 * unit && x < 2 * unit && y > -2 * unit && y < 2 * unit && inside(x, y))
                    ++covered;
            }
            const std::int32_t weight = covered * opacity; // of 256
            color& old = picture[static_cast<std::size_t>(row * side + column)];
            for (std::size_t c = 0; c < image_channels && weight > 0; ++c)
                old[c] = (old[c] * (256 - weight) + ink[c] * step * weight + 128) / 256;
        }
    }
}

/// Whether a point is in a disc around (x, 0).
[[nodiscard]] constexpr bool in_disc(std::int32_t x, std::int32_t y, std::int32_t radius) noexcept {
    return x * x + y * y <= radius * radius;
}

[[nodiscard]] constexpr std::int32_t magnitude(std::int32_t x) noexcept { return x < 0 ? -x : x; }

/// Whether a point is in a square around the origin.
[[nodiscard]] constexpr bool in_square(std::int32_t x, std::int32_t y, std::int32_t half) noexcept {
    return magnitude(x) <= half && magnitude(y) <= half;
}

/// The number of lines that leave the origin and the point on different sides. Lines have their distance from the
/// origin, and normals of length unit.
template <std::size_t Count>
[[nodiscard]] constexpr int lines_between(std::int32_t x, std::int32_t y, std::int32_t distance,
                                          const std::array<std::array<std::int32_t, 2>, Count>& normals) noexcept {
    int count = 0;
    for (const auto& normal : normals)
        count += normal[0] * x + normal[1] * y > distance * unit ? 1 : 0;
    return count;
}

/// Whether a shape has this point. Coordinates are less than two units.
[[nodiscard]] constexpr bool in_shape(std::size_t label, std::int32_t x, std::int32_t y) noexcept {
    constexpr std::array<std::array<std::int32_t, 2>, 3> three = {{{0, 4096}, {3547, -2048}, {-3547, -2048}}};
    constexpr std::array<std::array<std::int32_t, 2>, 5> five = {
        {{4096, 0}, {1266, 3896}, {-3314, 2408}, {-3314, -2408}, {1266, -3896}}};
    switch (label) {
    case 0: // disc
        return in_disc(x, y, 3900);
    case 1: // ring
        return in_disc(x, y, 3900) && !in_disc(x, y, 2000);
    case 2: // square
        return in_square(x, y, 3400);
    case 3: // triangle
        return lines_between(x, y, 2250, three) == 0;
    case 4: // cross
        return in_square(x, y, 3900) && (magnitude(x) <= 1250 || magnitude(y) <= 1250);
    case 5: // star: a pentagon and its five points, each behind one line
        return lines_between(x, y, 1450, five) <= 1;
    case 6: // crescent
        return in_disc(x, y, 3900) && !in_disc(x - 1700, y, 2900);
    case 7: // heart: a square on its corner, and a disc on each of two sides
        return magnitude(x) + magnitude(y) <= 3300 ||
               (2 * ((magnitude(x) - 1650) * (magnitude(x) - 1650) + (y + 1650) * (y + 1650)) <= 3300 * 3300);
    case 8: // stripes
        return in_square(x, y, 3600) && (x + y + 4 * unit) / 2400 % 2 == 0;
    default: // checker
        return in_square(x, y, 3600) && ((x + 2 * 3600) / 1800 + (y + 2 * 3600) / 1800) % 2 == 0;
    }
}

/// A background that goes from one colour to another.
[[nodiscard]] constexpr canvas gradient(const color& from, const color& to, direction slope) noexcept {
    canvas result{};
    const auto side = static_cast<std::int32_t>(image_side);
    for (std::int32_t i = 0; i < side * side; ++i) {
        const std::int32_t along =
            (2 * (i % side) + 1 - side) * slope.cosine + (2 * (i / side) + 1 - side) * slope.sine;
        const std::int32_t weight = std::clamp(128 + along / (46 * full_turn / 128), 0, 256); // of 256
        for (std::size_t c = 0; c < image_channels; ++c)
            result[static_cast<std::size_t>(i)][c] = (from[c] * (256 - weight) + to[c] * weight) * step / 256;
    }
    return result;
}

/// Weights 1 2 1 along rows, then along columns; the edge pixels are repeated.
[[nodiscard]] constexpr canvas blurred(canvas picture) noexcept {
    for (const std::size_t stride : {std::size_t{1}, image_side}) {
        const canvas old = picture;
        for (std::size_t i = 0; i < picture.size(); ++i) {
            const std::size_t position = i / stride % image_side;
            const color& before = old[position == 0 ? i : i - stride];
            const color& after = old[position + 1 == image_side ? i : i + stride];
            for (std::size_t c = 0; c < image_channels; ++c)
                picture[i][c] = (before[c] + 2 * old[i][c] + after[c] + 2) / 4;
        }
    }
    return picture;
}

/// Bars and blobs of any colour.
constexpr void clutter(canvas& picture, choices& random, std::int32_t count, std::int32_t longest,
                       std::int32_t opacity) {
    for (; count > 0; --count) {
        const std::int32_t x = random.from(0, 32 * pixel);
        const std::int32_t y = random.from(0, 32 * pixel);
        const direction turn = any_direction(random);
        const std::int32_t x_radius = random.from(2 * pixel, longest * pixel);
        const std::int32_t y_radius = random.from(pixel / 2, 2 * pixel);
        const color ink = any_color(random);
        const bool round = random.from(0, 1) == 0;
        paint(picture, place(x, y, turn, x_radius, y_radius), ink, opacity,
              [round](std::int32_t u, std::int32_t v) { return round ? in_disc(u, v, unit) : in_square(u, v, unit); });
    }
}

/// The bytes of a canvas, with noise of nearly normal distribution: the sum of eight random bytes.
[[nodiscard]] constexpr image noisy(const canvas& picture, std::uint64_t key, std::int32_t strength) noexcept {
    image result{};
    for (std::size_t i = 0; i < result.size(); ++i) {
        std::int32_t sum = -1020; // 8 times 127.5
        for (std::uint64_t bits = counter_bits(key, i); bits != 0; bits >>= 8)
            sum += static_cast<std::int32_t>(bits & 255);
        const std::int32_t value = picture[i / image_channels][i % image_channels] + sum * strength / 256;
        result[i] = static_cast<std::uint8_t>(std::clamp((value + step / 2) / step, 0, 255));
    }
    return result;
}

} // namespace detail

/// Image number i of a seed. Labels go round: that of image i is i modulo ten.
[[nodiscard]] constexpr labelled_image draw(std::uint64_t seed, std::uint64_t number) {
    using namespace detail;
    const std::uint64_t key = counter_bits(counter_bits(seed, 0), number);
    choices random(key);
    const std::size_t label = number % class_names.size();

    const color from = any_color(random);
    const color to = any_color(random);
    color ink = any_color(random);
    for (int tries = 0; tries < 64 && (contrast(ink, from) < 120 || contrast(ink, to) < 120); ++tries)
        ink = any_color(random);
    canvas picture = gradient(from, to, any_direction(random));
    clutter(picture, random, random.from(0, 3), 9, 13);

    const std::int32_t x = random.from(12 * pixel, 20 * pixel);
    const std::int32_t y = random.from(12 * pixel, 20 * pixel);
    const direction turn = any_direction(random);
    const std::int32_t radius = random.from(6 * pixel, 12 * pixel);
    const std::int32_t x_radius = radius * random.from(80, 100) / 100;
    const std::int32_t y_radius = radius * random.from(80, 100) / 100;
    paint(picture, place(x, y, turn, x_radius, y_radius), ink, 16,
          [label](std::int32_t u, std::int32_t v) { return in_shape(label, u, v); });
    clutter(picture, random, random.from(0, 2), 5, 12);

    for (std::int32_t passes = random.from(0, 2); passes > 0; --passes)
        picture = blurred(picture);
    const std::int32_t strength = random.from(50, 400);
    return {noisy(picture, counter_bits(key, ~std::uint64_t{0}), strength), static_cast<std::uint8_t>(label)};
}

} // namespace shapes
