/// @file
/// Observers that collect a histogram and apply a rule to it: percentile, mse, kl_divergence.
///
/// Collecting and deciding are apart. The samples are a notch::histogram; a rule is a small value
/// that turns a histogram into a range. So one pass over the data serves several rules,
///
///     histogram seen("conv1");                        // observe(batch), observe(batch), ...
///     value_range a = percentile_rule(99.9).range<a8>(seen);
///     value_range b = lp_rule(2.4).range<a8>(seen);
///
/// and a user's rule becomes a complete observer: `histogram_observer<my_rule>`. A rule has
///
///     static constexpr std::string_view label         what it is called in messages
///     static constexpr std::uint32_t tag              its number in serialized bytes; users take 0x10000 and above
///     my_rule(double), double parameter() const       its one setting
///     static bool accepts(double)                     whether a setting is valid
///     value_range range<Q>(const histogram&) const    the range for a quantizer Q
///
/// The state is that of the histogram, hence independent of order, split and merge, exactly.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/tensor_view.hpp>
#include <notch/observe/byte_frame.hpp>
#include <notch/observe/histogram.hpp>
#include <notch/observe/observer.hpp>
#include <notch/quant/quantizer.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

/// A rule that turns a histogram into a range, see above.
template <class R>
concept histogram_rule = std::constructible_from<R, double> && requires(const R& rule, double parameter) {
    { R::label } -> std::convertible_to<std::string_view>;
    { R::tag } -> std::convertible_to<std::uint32_t>;
    { R::accepts(parameter) } -> std::convertible_to<bool>;
    { rule.parameter() } -> std::convertible_to<double>;
};

/// A histogram and the rule that decides its range, see above.
template <histogram_rule Rule> class histogram_observer {
public:
    /// An observer that has seen nothing; the name stands in error messages.
    explicit histogram_observer(Rule rule = Rule(), std::string name = {}) : rule_(rule), samples_(std::move(name)) {}
    /// An observer with the rule's default setting.
    explicit histogram_observer(std::string name) : histogram_observer(Rule(), std::move(name)) {}
    /// An observer that has seen what a histogram has seen.
    histogram_observer(Rule rule, histogram samples) : rule_(rule), samples_(std::move(samples)) {}

    /// Counts every element of a tensor of floats. `name` stands in messages instead of the observer's own.
    /// Raises range_error for NaN or infinity, with the index of the first one; the observer is then unchanged.
    template <viewable_as<float> Tensor> void observe(const Tensor& tensor, std::string_view name = {}) {
        samples_.observe(tensor, name);
    }

    /// Adds what another observer has seen: the result equals one that has seen both.
    /// Raises range_error where the settings differ.
    void merge(const histogram_observer& other) {
        if (rule_.parameter() != other.rule_.parameter())
            detail::raise<range_error>(detail::quoted(name()), ": ", Rule::label, " with setting ", rule_.parameter(),
                                       " cannot take over samples of one with ", other.rule_.parameter());
        samples_.merge(other.samples_);
    }

    /// The name that stands in error messages.
    [[nodiscard]] const std::string& name() const noexcept { return samples_.name(); }
    /// Number of values seen.
    [[nodiscard]] std::uint64_t count() const noexcept { return samples_.count(); }
    /// What was seen.
    [[nodiscard]] const histogram& samples() const noexcept { return samples_; }
    /// How the range is decided.
    [[nodiscard]] const Rule& rule() const noexcept { return rule_; }
    /// The range for a quantizer. Raises state_error before the first value.
    template <quantizer_type Q> [[nodiscard]] value_range range() const { return rule_.template range<Q>(samples_); }

    /// True where the settings are the same and both have seen the same values. Names do not matter.
    friend bool operator==(const histogram_observer& a, const histogram_observer& b) noexcept {
        return a.rule_.parameter() == b.rule_.parameter() && a.samples_ == b.samples_;
    }

    /// The state as bytes (observe/byte_frame.hpp): the setting, then the histogram. The name is left out.
    [[nodiscard]] std::vector<std::byte> serialize() const {
        detail::frame_writer writer(Rule::tag);
        writer.put_double(rule_.parameter());
        samples_.write(writer);
        return std::move(writer).finish();
    }

    /// The observer that was serialized, with a name. Raises format_error that says what is wrong with the bytes.
    [[nodiscard]] static histogram_observer deserialize(std::span<const std::byte> bytes,
                                                        const std::string& name = {}) {
        const std::string label = std::string(Rule::label) + " observer";
        detail::frame_reader reader(bytes, Rule::tag, label, name);
        const double parameter = reader.get_double("the setting");
        if (!Rule::accepts(parameter))
            reader.fail("the setting is ", parameter);
        histogram_observer result(Rule(parameter), histogram::read(reader));
        reader.finish();
        return result;
    }

private:
    Rule rule_;
    histogram samples_;
};

} // namespace notch
