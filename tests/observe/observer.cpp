// What is common to all observers: the concept, calibrated_params, errors, merging.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/histogram.hpp>
#include <notch/observe/kl_divergence.hpp>
#include <notch/observe/min_max.hpp>
#include <notch/observe/moving_average.hpp>
#include <notch/observe/mse.hpp>
#include <notch/observe/observer.hpp>
#include <notch/observe/percentile.hpp>

#include <algorithm>

using namespace observe_test;
using namespace notch;

using s8 = quantizer<bits<8>>;
using u8 = quantizer<bits<8, unsigned_codes>>;
using a8 = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;
using p4 = quantizer<bits<4>, per_tensor, power_of_two<>>;
using f8 = quantizer<bits<8>, per_tensor, fixed_point<>>;
using c8 = quantizer<bits<8>, per_channel<0>>;

namespace foreign {

/// The range of the second largest magnitude: nothing of notch but the views and the range.
struct without_the_largest {
    float largest = 0;
    float second = 0;
    std::uint64_t values = 0;

    void observe(notch::strided_view<const float, 1> tensor, std::string_view) {
        for (std::size_t i = 0; i < tensor.size(); ++i) {
            const float x = tensor(i) < 0 ? -tensor(i) : tensor(i);
            second = std::max(second, std::min(x, largest));
            largest = std::max(largest, x);
            ++values;
        }
    }
    [[nodiscard]] std::uint64_t count() const { return values; }
    [[nodiscard]] notch::value_range range() const { return {-second, second}; }
};

/// A range that depends on the quantizer: one unit a code.
struct one_unit_a_code {
    std::uint64_t values = 0;

    template <notch::viewable_as<float> Tensor> void observe(const Tensor& tensor, std::string_view) {
        values += notch::as_view(tensor).size();
    }
    [[nodiscard]] std::size_t count() const { return values; }
    [[nodiscard]] std::string name() const { return "mine"; }
    template <class Q> [[nodiscard]] notch::value_range range() const {
        return {static_cast<float>(Q::codes.lowest), static_cast<float>(Q::codes.highest)};
    }
};

/// A rule over the histogram: the range of the bins with at least `least` values.
struct frequent_rule {
    static constexpr std::string_view label = "frequent";
    static constexpr std::uint32_t tag = 0x10000;
    double least;
    explicit frequent_rule(double n = 2) : least(n) {}
    static bool accepts(double n) { return n >= 1; }
    [[nodiscard]] double parameter() const { return least; }
    template <class Q> [[nodiscard]] notch::value_range range(const notch::histogram& seen) const {
        notch::value_range result;
        for (std::size_t bin = 0; bin < seen.bins().size(); ++bin)
            if (static_cast<double>(seen.bins()[bin]) >= least) {
                result.min = std::min(result.min, static_cast<float>(seen.lower(bin)));
                result.max = std::max(result.max, static_cast<float>(seen.lower(bin + 1)));
            }
        return result;
    }
};

struct no_count {
    void observe(notch::strided_view<const float, 1>, std::string_view) {}
};

} // namespace foreign

static_assert(observer<min_max> && observer<moving_average> && observer<percentile> && observer<mse> &&
              observer<kl_divergence>);
static_assert(observer<histogram> && !observer_for<histogram, s8>);
static_assert(observer<foreign::without_the_largest> && observer_for<foreign::without_the_largest, s8>);
static_assert(observer<foreign::one_unit_a_code> && observer_for<foreign::one_unit_a_code, a8>);
static_assert(!plain_range_observer<foreign::one_unit_a_code> && plain_range_observer<min_max>);
static_assert(!observer<foreign::no_count> && !observer<int>);
static_assert(histogram_rule<percentile_rule> && histogram_rule<foreign::frequent_rule> &&
              !histogram_rule<foreign::no_count>);

namespace {

template <class Observer> void check_needs_data(Observer empty, const std::string& call) {
    for (int step = 0; step < 2; ++step) {
        const std::string range = message_of<state_error>([&] {
            if constexpr (plain_range_observer<Observer>)
                static_cast<void>(empty.range());
            else
                static_cast<void>(empty.template range<s8>());
        });
        CHECK_THAT(range, containing("tensor 'conv1'"));
        CHECK_THAT(range, containing(call));
        CHECK_THAT(range, containing("observe()"));
        const std::string params = message_of<state_error>([&] { static_cast<void>(calibrated_params<s8>(empty)); });
        CHECK_THAT(params, containing("tensor 'conv1'"));
        CHECK_THAT(params, containing("calibrated_params()"));
        CHECK_THAT(params, containing("observe()"));
        CHECK_THAT(message_of<state_error>([&] { static_cast<void>(calibrated_range<s8>(empty, "fc")); }),
                   containing("tensor 'fc'"));
        empty.observe(std::vector<float>{}); // a tensor without elements is no data
    }
}

template <class Observer> void check_rejects_non_finite(Observer seen) {
    seen.observe(std::vector<float>{1.0F, -2.0F});
    const Observer before = seen;
    const std::string message = message_of<range_error>([&] {
        seen.observe(std::vector<float>{100.0F, 0.0F, infinity(), not_a_number()}, "fc");
    });
    CHECK_THAT(message, containing("tensor 'fc'"));
    CHECK_THAT(message, containing("[2]"));
    CHECK_THAT(message, containing("is infinity"));
    CHECK(seen == before);
}

template <class Observer> void check_merge_is_exact(const Observer& empty) {
    const std::vector<float> first = normal_values(1, 3000, 0.01);
    const std::vector<float> second = normal_values(2, 500, 100.0, 20.0);
    Observer a = empty;
    Observer b = empty;
    Observer both = empty;
    a.observe(first);
    b.observe(second);
    both.observe(second);
    both.observe(first);
    a.merge(b);
    CHECK(a == both);
    CHECK(calibrated_range<s8>(a) == calibrated_range<s8>(both));
    CHECK_FALSE(a == b);
    b.merge(empty);
    Observer alone = empty;
    alone.observe(second);
    CHECK(b == alone);
}

template <class Observer> void check_degenerate(const Observer& empty) {
    struct expectation {
        std::vector<float> values;
        value_range range;
    };
    // Zeros, one value, a constant tensor: every observer gives the ends themselves, or the ends widened to 0.
    for (const expectation& row :
         {expectation{{0.0F, -0.0F, 0.0F}, {0, 0}}, expectation{{3.5F}, {3.5F, 3.5F}},
          expectation{{-3.5F}, {-3.5F, -3.5F}}, expectation{std::vector<float>(2000, 0.3F), {0.3F, 0.3F}},
          expectation{{1e30F}, {1e30F, 1e30F}}, expectation{{-1e30F, 1e30F}, {-1e30F, 1e30F}}}) {
        Observer seen = empty;
        seen.observe(row.values);
        const value_range found = calibrated_range<s8>(seen);
        INFO("values " << row.values.front() << ", found [" << found.min << ", " << found.max << "]");
        CHECK((found.min == row.range.min || found.min == std::min(row.range.min, 0.0F)));
        CHECK((found.max == row.range.max || found.max == std::max(row.range.max, 0.0F)));
        // Hence the same scale for all: max|x| / 127, 1 for zeros.
        const double largest = std::max(-static_cast<double>(row.range.min), static_cast<double>(row.range.max));
        CHECK(calibrated_params<s8>(seen).scales.at(0) == (largest > 0 ? static_cast<float>(largest / 127) : 1.0F));
    }
    // Denormals: the smallest scale there is, also where denormals are flushed to zero.
    Observer tiny = empty;
    tiny.observe(std::vector<float>{from_bits(1), from_bits(0x8000'0005U)});
    CHECK(calibrated_params<p4>(tiny).scales.at(0) == -100);
}

template <class Check> void for_every_observer(const Check& check) {
    check(min_max("conv1"));
    check(percentile(100.0, "conv1"));
    check(mse(2.0, "conv1"));
    check(mse(2.4, "conv1"));
    check(kl_divergence(kl_metric::standard, "conv1"));
    check(kl_divergence(kl_metric::masked, "conv1"));
    check(kl_divergence(kl_metric::masked_penalised, "conv1"));
}

} // namespace

TEST_CASE("an observer without data says which call is missing and for which tensor") {
    check_needs_data(min_max("conv1"), "min_max::range()");
    check_needs_data(moving_average(0.5, "conv1"), "moving_average::range()");
    check_needs_data(percentile(99.0, "conv1"), "percentile::range()");
    check_needs_data(mse(2.0, "conv1"), "mse::range()");
    check_needs_data(kl_divergence(kl_metric::standard, "conv1"), "kl_divergence::range()");
    CHECK_THAT(message_of<state_error>([] { static_cast<void>(calibrated_params<s8>(foreign::one_unit_a_code{})); }),
               containing("tensor 'mine'"));
}

TEST_CASE("every observer rejects NaN and infinity and stays as it was") {
    for_every_observer([](const auto& empty) { check_rejects_non_finite(empty); });
    check_rejects_non_finite(moving_average(0.5));
}

TEST_CASE("merging equals observing both, bit for bit") {
    for_every_observer([](const auto& empty) { check_merge_is_exact(empty); });
}

TEST_CASE("degenerate tensors have one answer") {
    for_every_observer([](const auto& empty) { check_degenerate(empty); });
    check_degenerate(moving_average(0.5));
}

TEST_CASE("observers with different settings do not merge") {
    percentile a(99.0, "conv1");
    CHECK_THAT(message_of<range_error>([&] { a.merge(percentile(99.9)); }), containing("99.9"));
    mse b(2.0, "conv1");
    CHECK_THAT(message_of<range_error>([&] { b.merge(mse(2.4)); }), containing("tensor 'conv1'"));
    kl_divergence c(kl_metric::masked);
    CHECK_THAT(message_of<range_error>([&] { c.merge(kl_divergence(kl_metric::standard)); }),
               containing("kl_divergence"));
    moving_average d(0.5, "conv1");
    CHECK_THAT(message_of<range_error>([&] { d.merge(moving_average(0.25)); }), containing("0.25"));
}

TEST_CASE("settings outside their limits are refused") {
    CHECK_THAT(message_of<range_error>([] { static_cast<void>(percentile(0.0)); }), containing("0 per cent"));
    CHECK_THAT(message_of<range_error>([] { static_cast<void>(percentile(100.5)); }), containing("100.5"));
    CHECK_THAT(message_of<range_error>([] { static_cast<void>(mse(0.5)); }), containing("0.5"));
    CHECK_THAT(message_of<range_error>([] { static_cast<void>(mse(static_cast<double>(not_a_number()))); }),
               containing("[1, 16]"));
    CHECK_THAT(message_of<range_error>([] { static_cast<void>(moving_average(1.0, "x")); }), containing("tensor 'x'"));
    CHECK_THAT(message_of<range_error>([] { static_cast<void>(moving_average(-0.5)); }), containing("-0.5"));
    CHECK_THAT(message_of<range_error>([] { static_cast<void>(kl_rule(3.0)); }), containing("3"));
}

TEST_CASE("calibrated_params snaps the range as params_from_range does") {
    min_max seen("conv1");
    seen.observe(std::vector<float>{-1.0F, 3.0F});
    CHECK(calibrated_params<s8>(seen).scales.at(0) == static_cast<float>(3.0 / 127));
    CHECK(calibrated_params<p4>(seen).scales.at(0) == -1); // 3 / 7 = 0.43 -> 2^-1
    CHECK(calibrated_params<f8>(seen).scale(0) == Approx(3.0 / 127).epsilon(1e-9));
    const auto params = calibrated_params<a8>(seen);
    CHECK(params.scales.at(0) == static_cast<float>(4.0 / 255));
    CHECK(params.zero_points.at(0) == 64); // 1 / (4 / 255) = 63.75
    const std::string message = message_of<range_error>([&] { static_cast<void>(calibrated_params<u8>(seen)); });
    CHECK_THAT(message, containing("tensor 'conv1'"));
    CHECK_THAT(message, containing("-1"));
}

TEST_CASE("negative values under unsigned symmetric codes are a range_error with every observer") {
    const auto check = [](auto seen) {
        seen.observe(std::vector<float>{-3.0F, 1.0F, 2.0F});
        CHECK_THAT(message_of<range_error>([&] { static_cast<void>(calibrated_params<u8>(seen)); }),
                   containing("tensor 'conv1'"));
    };
    for_every_observer(check);
}

TEST_CASE("a user's observer needs neither a base class nor a registration") {
    foreign::without_the_largest seen;
    const std::vector<float> values{0.5F, -127.0F, 100000.0F};
    seen.observe(as_view(values), "conv1");
    CHECK(calibrated_params<s8>(seen).scales.at(0) == 1.0F);
    CHECK_THAT(
        message_of<state_error>([] { static_cast<void>(calibrated_params<s8>(foreign::without_the_largest{}, "fc")); }),
        containing("tensor 'fc'"));

    foreign::one_unit_a_code counter;
    counter.observe(values, "conv1");
    CHECK(calibrated_params<a8>(counter).scales.at(0) == 1.0F);
    CHECK(calibrated_range<p4>(counter) == value_range{-8, 7});
}

TEST_CASE("a user's rule over the histogram is a complete observer") {
    histogram_observer<foreign::frequent_rule> seen(foreign::frequent_rule(3), "conv1");
    seen.observe(std::vector<float>{1.0F, 1.0F, 1.0F, 7.0F, -2.0F, -2.0F}); // e = 3, s = -8
    CHECK(calibrated_range<s8>(seen) == value_range{0.0F, 1.0F + 0.00390625F});
    using own = histogram_observer<foreign::frequent_rule>;
    CHECK(own::deserialize(seen.serialize()) == seen);
    CHECK_THAT(message_of<format_error>([&] { static_cast<void>(percentile::deserialize(seen.serialize())); }),
               containing("kind 65536"));
}

TEST_CASE("one histogram serves several rules") {
    histogram seen("conv1");
    seen.observe(normal_values(3, 4000));
    percentile collected(95.0);
    collected.observe(normal_values(3, 4000));
    CHECK(percentile_rule(95.0).range<s8>(seen) == collected.range<s8>());
    CHECK(percentile(95.0, seen) == collected);
    CHECK(lp_rule(2.4).range<s8>(seen) == mse(2.4, seen).range<s8>());
    CHECK(kl_divergence(kl_metric::standard, seen).name() == "conv1");
}
