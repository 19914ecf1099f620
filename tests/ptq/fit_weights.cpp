#include "catch.hpp"
#include "deploy/random_network.hpp"

#include <notch/core/random.hpp>
#include <notch/ptq/fit_weights.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace notch;

namespace {

std::vector<float> some_weights(std::size_t count, std::uint64_t seed) {
    std::vector<float> w(count);
    for (std::size_t i = 0; i < count; ++i)
        w[i] = static_cast<float>((static_cast<double>(counter_bits(seed, i) % 2000001) - 1e6) / 1e6) *
               (i % 7 == 0 ? 3.0F : 0.5F);
    return w;
}

double square_error(const planned_weights& fitted, const std::vector<float>& w) {
    double error = 0;
    const std::size_t taps = fitted.taps();
    for (std::size_t k = 0; k < w.size(); ++k) {
        const std::size_t o = k / taps / fitted.shape[1];
        const double e = static_cast<double>(w[k]) - fitted.scale(o, k / taps % fitted.shape[1]) * fitted.codes[k];
        error += e * e;
    }
    return error;
}

} // namespace

TEST_CASE("min_max: the largest magnitude is the largest code") {
    const std::vector<float> w{0.5F, -1.27F, 0.1F, 0.3F, 2.54F, -2.0F};
    const planned_weights per_tensor =
        fit_weights({w, {2, 3, 1, 1}, {}, "w"}, {8, grain::tensor(), weight_fit::min_max}, scale_form::real);
    CHECK(per_tensor.base[0] == Approx(2.54 / 127));
    CHECK(per_tensor.codes == std::vector<std::int8_t>{25, -64, 5, 15, 127, -100});
    const planned_weights per_channel =
        fit_weights({w, {2, 3, 1, 1}, {}, "w"}, {8, grain::channel(), weight_fit::min_max}, scale_form::real);
    CHECK(per_channel.base[0] == Approx(0.01));
    CHECK(per_channel.base[1] == Approx(0.02));
    CHECK(per_channel.codes == std::vector<std::int8_t>{50, -127, 10, 15, 127, -100});
    const planned_weights powers =
        fit_weights({w, {2, 3, 1, 1}, {}, "w"}, {8, grain::channel(), weight_fit::min_max}, scale_form::power_of_two);
    CHECK(powers.exponents == std::vector<std::int32_t>{-6, -5}); // 0.01 and 0.02, rounded up
    CHECK(powers.base == std::vector<double>{1, 1});
    CHECK(powers.codes == std::vector<std::int8_t>{32, -81, 6, 10, 81, -64});
}

TEST_CASE("least_squares finds what trying all candidates finds") {
    for (const int bits : {2, 3, 4, 8}) {
        const std::vector<float> w = some_weights(60, static_cast<std::uint64_t>(bits));
        const auto fitted = fit_weights({w, {1, 60, 1, 1}, {}, "w"}, {bits, grain::channel()}, scale_form::real);
        const double largest =
            std::abs(static_cast<double>(*std::ranges::max_element(w, {}, [](float x) { return std::abs(x); })));
        const double top = std::exp2(bits - 1) - 1;
        const auto error_at = [&](double scale) {
            double error = 0;
            for (const float x : w) {
                const double code = std::clamp(std::nearbyint(static_cast<double>(x) / scale), -top - 1, top);
                error += std::pow(static_cast<double>(x) - code * scale, 2);
            }
            return error;
        };
        double best = error_at(static_cast<double>(static_cast<float>(largest / (top + 1))));
        for (int percent = 100; percent > 15; --percent)
            best = std::min(best, error_at(static_cast<double>(static_cast<float>(largest / top * percent / 100))));
        CHECK(square_error(fitted, w) == Approx(best).epsilon(1e-9));
    }
}

TEST_CASE("blocks as large as the tensor, or as a channel, are those grains") {
    const std::vector<float> w = some_weights(6 * 8 * 9, 5);
    const weights_to_fit from{w, {6, 8, 3, 3}, {}, "w"};
    for (const scale_form form : {scale_form::power_of_two, scale_form::real}) {
        const auto fit = [&](const grain& cut) { return fit_weights(from, {4, cut}, form); };
        CHECK(fit(grain::block(6, 8)).codes == fit(grain::tensor()).codes);
        CHECK(fit(grain::block(100, 100)).codes == fit(grain::tensor()).codes);
        CHECK(fit(grain::block(1, 8)).codes == fit(grain::channel()).codes);
        CHECK(fit(grain::block(1, 3)).codes == fit(grain::group(3)).codes);
        CHECK(fit(grain::group(3)).exponents.size() == 6 * 3);
        CHECK(square_error(fit(grain::channel()), w) <= square_error(fit(grain::tensor()), w));
    }
}

TEST_CASE("scales along the inputs differ by powers of two, and not by more than sums hold") {
    std::vector<float> w = some_weights(4 * 32, 9);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] *= std::exp2(-static_cast<float>(i % 32 / 8) * 6); // groups of 8: 1, 2^-6, 2^-12, 2^-18
    for (const scale_form form : {scale_form::power_of_two, scale_form::fixed_point, scale_form::real}) {
        const auto fitted = fit_weights({w, {4, 32, 1, 1}, {}, "w"}, {8, grain::group(8)}, form);
        for (std::size_t o = 0; o < 4; ++o) {
            const auto row = fitted.exponents.begin() + static_cast<std::ptrdiff_t>(o * 4);
            CHECK(*std::max_element(row, row + 4) - *std::min_element(row, row + 4) <= 7);
            CHECK(fitted.base[o] == (form == scale_form::power_of_two ? 1 : fitted.base[o]));
        }
    }
    // Many large codes under a large spread would leave int32: the spread shrinks.
    std::vector<float> deep(8192, 1.0F);
    std::fill(deep.begin() + 4096, deep.end(), 0.01F);
    const auto fitted = fit_weights({deep, {1, 8192, 1, 1}, {}, "w"}, {8, grain::group(4096), weight_fit::min_max},
                                    scale_form::power_of_two);
    double sum = 0;
    for (std::size_t i = 0; i < deep.size(); ++i)
        sum += fitted.codes[i] * std::exp2(fitted.exponents[i / 4096] - fitted.least[0]);
    CHECK(255 * sum <= std::exp2(30));
}

TEST_CASE("floors raise scales, and outputs are named") {
    const std::vector<float> w{1e-30F, -1e-30F, 0.5F, -0.25F};
    const auto fitted =
        fit_weights({w, {2, 2, 1, 1}, {1e-6, 1e-6}, "w"}, {8, grain::channel()}, scale_form::power_of_two);
    CHECK(fitted.floored == std::vector<std::uint32_t>{0});
    CHECK(fitted.exponents[0] == -19); // the power of two above 1e-6
    CHECK(fitted.codes[0] == 0);
    CHECK(fitted.codes[1] == 0);
    CHECK(std::abs(fitted.codes[2]) > 60);
}

TEST_CASE("weights of zeros, and wrong numbers") {
    const std::vector<float> zeros(8, 0.0F);
    const auto fitted = fit_weights({zeros, {2, 4, 1, 1}, {}, "w"}, {4, grain::group(2)}, scale_form::real);
    CHECK(std::ranges::all_of(fitted.codes, [](std::int8_t c) { return c == 0; }));
    CHECK_THROWS_WITH(fit_weights({zeros, {2, 4, 1, 1}, {}, "w"}, {9, grain::tensor()}, scale_form::real),
                      containing("9 bits"));
    CHECK_THROWS_WITH(fit_weights({zeros, {2, 4, 1, 1}, {}, "w"}, {4, grain::group(0)}, scale_form::real),
                      containing("group:0"));
    CHECK_THROWS_WITH(fit_weights({zeros, {2, 5, 1, 1}, {}, "w"}, {4, grain::tensor()}, scale_form::real),
                      containing("8 weights"));
}

TEST_CASE("scales of a row of blocks are real by multipliers that a byte has room for") {
    notch_test::numbers random(31);
    for (const int bits : {2, 3, 4, 5, 6}) {
        std::vector<float> w = random.normals(4 * 16);
        for (std::size_t k = 0; k < w.size(); ++k) // blocks of 2 x 4 with scales of their own
            w[k] *= static_cast<float>(1 + 7 * (k / 4 % 4));
        const weights_to_fit from{w, {4, 16, 1, 1}, {}, "w"};
        const weight_policy policy{.bits = bits, .cut = grain::block(2, 4), .fit = weight_fit::min_max};
        const planned_weights fitted = fit_weights(from, policy, scale_form::real);
        const int f = 7 - bits;
        REQUIRE(fitted.multipliers.size() == 8);
        double largest_share = 0;
        for (std::size_t o = 0; o < 4; ++o)
            for (std::size_t i = 0; i < 16; ++i) {
                const std::int32_t m = fitted.multiplier(fitted.block_of(o, i));
                REQUIRE(m >= 1 << f);
                REQUIRE(m < 2 << f);
                REQUIRE(std::abs(m * fitted.codes[o * 16 + i]) <= 128);
                const double error = std::abs(static_cast<double>(w[o * 16 + i]) - fitted.value(o, i, 0));
                CHECK(error <= fitted.scale(o, i) / 2 * (1 + 1e-6));
            }
        for (std::size_t b = 0; b < 8;
             ++b) { // no scale is more than one step of its multiplier above what its block needs
            double most = 0;
            for (std::size_t o = 2 * (b / 4); o < 2 * (b / 4) + 2; ++o)
                for (std::size_t i = 4 * (b % 4); i < 4 * (b % 4) + 4; ++i)
                    most = std::max(most, std::abs(static_cast<double>(w[o * 16 + i])));
            const double needed = most / ((1 << (bits - 1)) - 1);
            largest_share = std::max(largest_share, fitted.scale(2 * (b / 4), 4 * (b % 4)) / needed);
        }
        CHECK(largest_share >= 1 - 1e-6);
        CHECK(largest_share <= 1 + exp2_exact(-f) + 1e-6);
        CHECK(fitted.stored_bits() == 8);
        CHECK(fit_weights(from, policy, scale_form::power_of_two).multipliers.empty());
        CHECK(fit_weights(from, {.bits = bits, .cut = grain::channel()}, scale_form::real).multipliers.empty());
    }
    const std::vector<float> w = random.normals(16);
    CHECK(fit_weights({w, {2, 8, 1, 1}, {}, "w"}, {.bits = 7, .cut = grain::group(4)}, scale_form::real)
              .multipliers.empty());
}

TEST_CASE("multipliers leave room for biases: sums are in units that are not below the floor") {
    notch_test::numbers random(32);
    const std::vector<float> w = random.normals(4 * 16, 1e-3);
    for (const double floor : {1e-6, 1e-4, 3e-4, 1e-2})
        for (const int bits : {2, 4, 6}) {
            const std::vector<double> floors(4, floor);
            const planned_weights fitted =
                fit_weights({w, {4, 16, 1, 1}, floors, "w"}, {.bits = bits, .cut = grain::group(4)}, scale_form::real);
            for (std::size_t o = 0; o < 4; ++o)
                CHECK(fitted.base[o] * exp2_exact(fitted.least[o]) >= floor * (1 - 1e-6));
        }
}
