// kl_divergence: the textbook formula, thresholds, CF8 and CF9.
#include "catch.hpp"
#include "observe/support.hpp"

#include <notch/observe/kl_divergence.hpp>

#include <algorithm>
#include <array>
#include <numeric>

using namespace observe_test;
using namespace notch;

using s8 = quantizer<bits<8>>;
using s4 = quantizer<bits<4>>;
using u8 = quantizer<bits<8, unsigned_codes>>;
using a8 = quantizer<bits<8>, per_tensor, real_scale, nearest_even, affine>;

namespace {

using counts = std::vector<std::uint64_t>;

/// P and Q of one threshold, written out.
struct distributions {
    std::vector<double> p;
    std::vector<double> q;
    double sum_p = 0;
    double sum_q = 0;

    distributions(const counts& h, std::size_t levels, std::size_t m) : p(m), q(m, 0.0) {
        for (std::size_t k = 0; k < h.size(); ++k)
            p[std::min(k, m - 1)] += static_cast<double>(h[k]);
        for (std::size_t level = 0; level < levels; ++level) {
            const std::size_t first = level * m / levels;
            const std::size_t end = (level + 1) * m / levels;
            double sum = 0;
            double filled = 0;
            for (std::size_t k = first; k < end; ++k) {
                sum += static_cast<double>(h[k]);
                filled += h[k] != 0 ? 1 : 0;
            }
            for (std::size_t k = first; k < end; ++k)
                q[k] = h[k] != 0 ? sum / filled : 0.0;
        }
        sum_p = std::accumulate(p.begin(), p.end(), 0.0);
        sum_q = std::accumulate(q.begin(), q.end(), 0.0);
    }

    /// Sum of P(x) ln(P(x) / Q(x)) of the normalised distributions; 1e300 where it is infinite.
    [[nodiscard]] double textbook() const {
        double sum = 0;
        for (std::size_t k = 0; k < p.size(); ++k) {
            if (p[k] > 0 && !(q[k] > 0))
                return 1e300;
            if (p[k] > 0)
                sum += p[k] / sum_p * std::log((p[k] / sum_p) / (q[k] / sum_q));
        }
        return sum;
    }

    /// The same over the bins that both hold.
    [[nodiscard]] double masked() const {
        double sum = 0;
        for (std::size_t k = 0; k < p.size(); ++k)
            if (p[k] > 0 && q[k] > 0)
                sum += p[k] / sum_p * std::log((p[k] / sum_p) / (q[k] / sum_q));
        return sum;
    }

    /// (sum p ln(P p) - sum p ln(S q)) / P over the bins that both hold: unnormalised counts.
    [[nodiscard]] double penalised() const {
        double sum = 0;
        for (std::size_t k = 0; k < p.size(); ++k)
            if (p[k] > 0 && q[k] > 0)
                sum += p[k] * std::log(sum_p * p[k]) - p[k] * std::log(sum_q * q[k]);
        return sum / sum_p;
    }

    [[nodiscard]] double mass_in_mask() const {
        double mass = 0;
        for (std::size_t k = 0; k < p.size(); ++k)
            mass += p[k] > 0 && q[k] > 0 ? p[k] : 0.0;
        return mass;
    }
};

/// Counts with holes, a falling trend and some far outliers.
counts random_counts(std::uint64_t seed, std::size_t size) {
    numbers source(seed);
    counts h(size);
    for (std::size_t k = 0; k < size; ++k) {
        const double fall = std::exp(-6.0 * static_cast<double>(k) / static_cast<double>(size));
        h[k] = source.below(4) == 0 ? 0 : source.below(1 + static_cast<std::size_t>(1000 * fall));
    }
    h.back() = 1;
    return h;
}

template <class Q> value_range range_of(const std::vector<float>& values, kl_metric metric = kl_metric::standard) {
    kl_divergence seen(metric);
    seen.observe(values);
    return calibrated_range<Q>(seen);
}

constexpr std::array<kl_metric, 3> metrics{kl_metric::standard, kl_metric::masked, kl_metric::masked_penalised};

} // namespace

TEST_CASE("the divergence of every threshold equals the textbook formula") {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        const counts h = random_counts(seed, 300);
        for (const std::size_t levels : {2U, 8U, 128U}) {
            const detail::divergence_scan scan(h, levels);
            double worst = 0;
            bool infinite_alike = true;
            for (std::size_t m = levels; m <= h.size(); ++m) {
                const distributions both(h, levels, m);
                if (!(both.sum_q > 0))
                    continue;
                const double textbook = both.textbook();
                const double standard = scan.at(m, kl_metric::standard);
                infinite_alike = infinite_alike && (textbook > 1e200) == (standard > 1e200);
                if (textbook < 1e200)
                    worst = std::max(worst, std::fabs(standard - textbook));
                worst = std::max(worst, std::fabs(scan.at(m, kl_metric::masked) - both.masked()));
                worst = std::max(worst, std::fabs(scan.at(m, kl_metric::masked_penalised) - both.penalised()));
            }
            INFO("seed " << seed << ", levels " << levels);
            CHECK(infinite_alike);
            CHECK(worst < 1e-10);
        }
    }
}

TEST_CASE("CF8: the penalised divergence is the masked one plus 2 (m / P) ln(P / S)") {
    const counts h = random_counts(17, 400);
    const detail::divergence_scan scan(h, 16);
    double worst = 0;
    for (std::size_t m = 16; m <= h.size(); ++m) {
        const distributions both(h, 16, m);
        if (!(both.sum_q > 0))
            continue;
        const double extra = 2 * both.mass_in_mask() / both.sum_p * std::log(both.sum_p / both.sum_q);
        worst =
            std::max(worst, std::fabs(scan.at(m, kl_metric::masked_penalised) - scan.at(m, kl_metric::masked) - extra));
    }
    CHECK(worst < 1e-10);
}

TEST_CASE("the chosen threshold has the least divergence") {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        std::vector<float> values = normal_values(seed, 3000);
        values[1] = 9.0F;
        histogram seen;
        seen.observe(values);
        const counts h = seen.magnitudes();
        double largest = 0;
        for (const float x : values)
            largest = std::max(largest, std::fabs(static_cast<double>(x)));
        const double width = std::ldexp(1.0, -7); // both signs, 8 <= 9 < 16: 2^(4 - 11)
        for (const kl_metric metric : metrics) {
            const value_range found = range_of<s4>(values, metric); // 8 levels
            const double threshold = std::max(-static_cast<double>(found.min), static_cast<double>(found.max));
            const std::size_t chosen =
                threshold == largest ? h.size() : static_cast<std::size_t>(std::lround(threshold / width));
            const auto divergence = [&](std::size_t m) {
                const distributions both(h, 8, m);
                return !(both.sum_q > 0)               ? 1e300
                       : metric == kl_metric::standard ? both.textbook()
                       : metric == kl_metric::masked   ? both.masked()
                                                       : both.penalised();
            };
            double least = 1e300;
            for (std::size_t m = 8; m <= h.size(); ++m)
                least = std::min(least, divergence(m));
            INFO("seed " << seed << ", threshold " << threshold);
            CHECK(chosen <= h.size());
            CHECK(divergence(chosen) <= least + 2e-9);
        }
    }
}

TEST_CASE("CF9: a distribution exactly on the levels keeps its maximum") {
    numbers source(3);
    // 127 magnitudes i / 32 (the zero is the 128th code), each with another count; then also with both signs.
    for (const bool both_signs : {false, true})
        for (const kl_metric metric : {kl_metric::standard, kl_metric::masked_penalised}) // masked can fall below 0
        {
            std::vector<float> values;
            for (int i = 1; i <= 127; ++i)
                for (std::size_t n = 0; n < 1 + source.below(50); ++n)
                    values.push_back(static_cast<float>(both_signs && source.below(2) == 0 ? -i : i) / 32.0F);
            values.push_back(127.0F / 32.0F);
            if (both_signs)
                values.push_back(-127.0F / 32.0F);
            const value_range found = range_of<s8>(values, metric);
            INFO("both signs " << both_signs << ", metric " << static_cast<int>(metric));
            CHECK(found.max == 127.0F / 32.0F);
            if (both_signs)
                CHECK(found.min == -127.0F / 32.0F);
        }
}

TEST_CASE("a far outlier is clipped") {
    std::vector<float> values = normal_values(5, 50000);
    values[9] = 60.0F;
    for (const kl_metric metric : metrics) {
        const value_range found = range_of<s8>(values, metric);
        CHECK(found.max < 30.0F);
        CHECK(found.max > 1.0F);
    }
}

TEST_CASE("levels follow from the codes and the sides of the data") {
    CHECK(kl_rule::levels<s8>(true) == 128);
    CHECK(kl_rule::levels<s8>(false) == 128);
    CHECK(kl_rule::levels<u8>(true) == 256);
    CHECK(kl_rule::levels<s4>(false) == 8);
    CHECK(kl_rule::levels<a8>(true) == 256);
    CHECK(kl_rule::levels<a8>(false) == 128);
    using a8u = quantizer<bits<8, unsigned_codes>, per_tensor, real_scale, nearest_even, affine>;
    const std::vector<float> values = normal_values(6, 5000);
    CHECK(range_of<a8>(values) == range_of<a8u>(values)); // the same grid under two names
}

TEST_CASE("zeros do not change the threshold") {
    const std::vector<float> values = relu(normal_values(7, 20000));
    std::vector<float> without;
    std::copy_if(values.begin(), values.end(), std::back_inserter(without), [](float x) { return x != 0.0F; });
    CHECK(range_of<u8>(values).max == range_of<u8>(without).max);
    CHECK(range_of<u8>(values).min == 0.0F);
}

TEST_CASE("of equal divergences the largest range is kept") {
    // Two magnitudes far apart. Keeping only the smaller one makes P and Q the same single bin, divergence 0;
    // so does keeping both, each alone in its level.
    std::vector<float> values(100, 1.0F);
    values.push_back(7.0F);
    CHECK(range_of<s8>(values) == value_range{1.0F, 7.0F});
}
