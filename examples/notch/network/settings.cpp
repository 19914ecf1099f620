/// @file
/// Settings as text become values; every message says what is possible.
#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <limits>
#include <span>
#include <stdexcept>
#include <system_error>

namespace tool {

namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

[[noreturn]] void refuse(std::string_view what, std::string_view value, const std::string& possible) {
    throw std::runtime_error(std::string(what) + " is '" + std::string(value) + "'; it takes " + possible);
}

/// One of some words.
template <class Value> struct word {
    std::string_view name;
    Value value;
};

template <class Value>
[[nodiscard]] Value parse_word(std::string_view what, std::string_view value, std::span<const word<Value>> words,
                               std::string possible = {}) {
    for (const word<Value>& each : words) {
        if (each.name == value)
            return each.value;
        possible += possible.empty() ? "" : &each == &words.back() ? " or " : ", ";
        possible += each.name;
    }
    refuse(what, value, possible);
}

constexpr std::array<word<notch::scale_form>, 3> scale_words = {{{"pot", notch::scale_form::power_of_two},
                                                                 {"fixed", notch::scale_form::fixed_point},
                                                                 {"real", notch::scale_form::real}}};
constexpr std::array<word<notch::range_rule>, 7> observer_words = {
    {{"minmax", notch::range_rule::by_min_max},
     {"percentile", notch::range_rule::by_percentile},
     {"mse", notch::range_rule::by_mse},
     {"kl", notch::range_rule::by_kl},
     {"kl-masked", notch::range_rule::by_kl_masked},
     {"kl-penalised", notch::range_rule::by_kl_penalised},
     {"results", notch::range_rule::by_results}}};
constexpr std::array<word<notch::weight_fit>, 3> fit_words = {{{"minmax", notch::weight_fit::min_max},
                                                               {"mse", notch::weight_fit::least_squares},
                                                               {"results", notch::weight_fit::by_results}}};
constexpr std::array<word<notch::weight_rounding>, 2> rounding_words = {
    {{"nearest", notch::weight_rounding::nearest}, {"results", notch::weight_rounding::by_results}}};
constexpr std::array<word<notch::split_taps>, 3> tap_words = {
    {{"centre", notch::split_taps::centre}, {"peak", notch::split_taps::peak}, {"all", notch::split_taps::all}}};
/// A rule, and whether its factors are powers of two.
struct rescaling {
    notch::rescale_rule rule;
    bool powers_of_two;
};
constexpr std::array<word<rescaling>, 8> rescale_words = {
    {{"least-noise", {notch::rescale_rule::least_noise, false}},
     {"mutual", {notch::rescale_rule::mutual, false}},
     {"equalize", {notch::rescale_rule::equalize, false}},
     {"results", {notch::rescale_rule::by_results, false}},
     {"least-noise-pot", {notch::rescale_rule::least_noise, true}},
     {"mutual-pot", {notch::rescale_rule::mutual, true}},
     {"equalize-pot", {notch::rescale_rule::equalize, true}},
     {"results-pot", {notch::rescale_rule::by_results, true}}}};
constexpr std::array<word<notch::reorder_method>, 3> reorder_words = {
    {{"sort", notch::reorder_method::sort},
     {"greedy", notch::reorder_method::greedy},
     {"evolution", notch::reorder_method::evolution}}};
constexpr std::array<word<bool>, 2> answers = {{{"yes", true}, {"no", false}}};

[[nodiscard]] int parse_bits(std::string_view what, std::string_view value) {
    return static_cast<int>(parse_number(what, value, 2, 8));
}

/// 0, which means "as everywhere", or bits.
[[nodiscard]] int parse_bits_or_none(std::string_view what, std::string_view value) {
    const std::uint64_t bits = parse_number(what, value, 0, 8);
    if (bits == 1)
        refuse(what, value, "0 or a whole number from 2 to 8");
    return static_cast<int>(bits);
}

[[nodiscard]] notch::weight_fit parse_fit(std::string_view what, std::string_view value) {
    return parse_word<notch::weight_fit>(what, value, fit_words);
}

[[nodiscard]] double parse_real(std::string_view what, std::string_view value) {
    double result = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (code != std::errc() || end != value.data() + value.size())
        refuse(what, value, "a number, as 0.25 or 1e-3");
    return result;
}

/// What stands between commas.
template <class Value, class Parse>
[[nodiscard]] std::vector<Value> parse_list(std::string_view value, const Parse& parse) {
    std::vector<Value> list;
    for (std::size_t at = 0; at <= value.size();) {
        const std::size_t end = std::min(value.find(',', at), value.size());
        list.push_back(parse(value.substr(at, end - at)));
        at = end + 1;
    }
    return list;
}

/// "centre:4": which taps, and bits of the coarse part.
void set_split(notch::split_policy& split, std::string_view what, std::string_view value) {
    if (value == "none" || value == "no") {
        split.bits = 0;
        return;
    }
    const std::size_t colon = value.find(':');
    if (colon == std::string_view::npos)
        refuse(what, value, "none, centre:B, peak:B or all:B, B bits of the coarse part (as centre:4)");
    split.taps = parse_word<notch::split_taps>(what, value.substr(0, colon), tap_words);
    split.bits = parse_bits(std::string(what) + ", bits of the coarse part,", value.substr(colon + 1));
}

void set_rescaling(notch::quantization_recipe& methods, std::string_view what, std::string_view value) {
    methods.rescale = value != "none" && value != "no";
    if (!methods.rescale)
        return;
    const rescaling chosen =
        value == "yes" ? rescale_words[0].value : parse_word<rescaling>(what, value, rescale_words, "none");
    methods.rescaling.rule = chosen.rule;
    methods.rescaling.powers_of_two = chosen.powers_of_two;
}

void set_reordering(notch::quantization_recipe& methods, std::string_view what, std::string_view value) {
    methods.reorder = value != "none" && value != "no";
    if (methods.reorder)
        methods.ordering.method = value == "yes"
                                      ? notch::reorder_method::evolution
                                      : parse_word<notch::reorder_method>(what, value, reorder_words, "none");
}

[[nodiscard]] bool parse_answer(std::string_view what, std::string_view value) {
    return parse_word<bool>(what, value, answers);
}

struct setting_rule {
    std::string_view name;
    void (*set)(network_settings&, std::string_view what, std::string_view value);
};

constexpr std::array<setting_rule, 23> rules = {{
    {"weights", [](auto& s, auto what, auto value) { s.methods.policy.weights.bits = parse_bits(what, value); }},
    {"activations",
     [](auto& s, auto what, auto value) { s.methods.policy.activations.bits = parse_bits(what, value); }},
    {"grain", [](auto& s, auto what, auto value) { s.methods.policy.weights.cut = parse_grain(what, value); }},
    {"scale", [](auto& s, auto what,
                 auto value) { s.methods.policy.scales = parse_word<notch::scale_form>(what, value, scale_words); }},
    {"observer",
     [](auto& s, auto what, auto value) {
         s.methods.policy.activations.rule = parse_word<notch::range_rule>(what, value, observer_words);
     }},
    {"fit", [](auto& s, auto what, auto value) { s.methods.policy.weights.fit = parse_fit(what, value); }},
    {"first_last",
     [](auto& s, auto what, auto value) { s.methods.policy.first_last_bits = parse_bits_or_none(what, value); }},
    {"residual", [](auto& s, auto what, auto value) { s.methods.policy.residual_bits = parse_bits(what, value); }},
    {"calibration_images",
     [](auto& s, auto what, auto value) { s.calibration_images = parse_number(what, value, 1, most); }},
    {"seed", [](auto& s, auto what, auto value) { s.seed = parse_number(what, value, 0, most); }},
    {"rounding",
     [](auto& s, auto what, auto value) {
         s.methods.policy.weights.rounding = parse_word<notch::weight_rounding>(what, value, rounding_words);
     }},
    {"split", [](auto& s, auto what, auto value) { set_split(s.methods.policy.weights.split, what, value); }},
    {"split_scale",
     [](auto& s, auto what, auto value) {
         constexpr std::array<word<bool>, 2> words = {{{"tensor", true}, {"channel", false}}};
         s.methods.policy.weights.split.per_tensor = parse_word<bool>(what, value, words);
     }},
    {"split_gain",
     [](auto& s, auto what, auto value) { s.methods.policy.weights.split.least_gain = parse_real(what, value); }},
    {"rescale", [](auto& s, auto what, auto value) { set_rescaling(s.methods, what, value); }},
    {"absorb", [](auto& s, auto what, auto value) { s.methods.absorb = parse_answer(what, value); }},
    {"reorder", [](auto& s, auto what, auto value) { set_reordering(s.methods, what, value); }},
    {"in_order", [](auto& s, auto what, auto value) { s.methods.in_order = parse_answer(what, value); }},
    {"method_images", [](auto& s, auto what, auto value) { s.methods.images = parse_number(what, value, 1, most); }},
    {"bias_correction",
     [](auto& s, auto what, auto value) { s.methods.bias_images = parse_number(what, value, 0, most); }},
    {"scale_input",
     [](auto& s, auto what, auto value) {
         s.pixels.scale = parse_real(what, value);
         s.says_pixels = true;
     }},
    {"mean",
     [](auto& s, auto what, auto value) {
         s.pixels.mean = parse_reals(what, value);
         s.says_pixels = true;
     }},
    {"std",
     [](auto& s, auto what, auto value) {
         s.pixels.deviation = parse_reals(what, value);
         s.says_pixels = true;
     }},
}};

[[noreturn]] void refuse_name(std::string_view what, const std::string& possible) {
    throw std::runtime_error(std::string(what) + " is no setting; there are " + possible);
}

} // namespace

std::uint64_t parse_number(std::string_view what, std::string_view value, std::uint64_t lowest, std::uint64_t highest) {
    const std::string limits = "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest);
    std::uint64_t result = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (code == std::errc::invalid_argument || end != value.data() + value.size())
        refuse(what, value, limits);
    if (code == std::errc::result_out_of_range || result < lowest || result > highest)
        throw std::runtime_error(std::string(what) + " is " + std::string(value) + "; it takes " + limits);
    return result;
}

std::vector<std::size_t> parse_extents(std::string_view what, std::string_view value) {
    return parse_list<std::size_t>(
        value, [what](std::string_view each) { return parse_number(what, each, 1, std::uint64_t{1} << 31); });
}

std::vector<double> parse_reals(std::string_view what, std::string_view value) {
    return parse_list<double>(value, [what](std::string_view each) { return parse_real(what, each); });
}

notch::grain parse_grain(std::string_view what, std::string_view value) {
    constexpr std::uint64_t widest = std::uint64_t{1} << 20;
    if (value == "tensor")
        return notch::grain::tensor();
    if (value == "channel")
        return notch::grain::channel();
    if (value == "kernel")
        return notch::grain::block(1, 1);
    const std::string_view sizes = value.substr(std::min(value.find(':'), value.size() - 1) + 1);
    if (value.starts_with("group:"))
        return notch::grain::group(parse_number(std::string(what) + ", inputs of a group,", sizes, 1, widest));
    if (const std::size_t cross = sizes.find('x'); value.starts_with("block:") && cross != std::string_view::npos)
        return notch::grain::block(
            parse_number(std::string(what) + ", outputs of a block,", sizes.substr(0, cross), 1, widest),
            parse_number(std::string(what) + ", inputs of a block,", sizes.substr(cross + 1), 1, widest));
    refuse(what, value, "tensor, channel, kernel, group:N (as group:32) or block:OxI (as block:16x16)");
}

std::vector<notch::grain> parse_grains(std::string_view what, std::string_view value) {
    return parse_list<notch::grain>(value, [what](std::string_view each) { return parse_grain(what, each); });
}

void apply(network_settings& settings, std::string_view what, const named_value& setting) {
    std::string possible;
    for (const setting_rule& rule : rules) {
        if (rule.name == setting.name)
            return rule.set(settings, what, setting.value);
        possible += (possible.empty() ? "" : ", ") + std::string(rule.name);
    }
    refuse_name(what, possible + " and layers");
}

void apply(notch::layer_override& layer, std::string_view what, const named_value& setting) {
    if (setting.name == "weights")
        layer.weight_bits = parse_bits(what, setting.value);
    else if (setting.name == "activations")
        layer.activation_bits = parse_bits(what, setting.value);
    else if (setting.name == "grain")
        layer.cut = parse_grain(what, setting.value);
    else if (setting.name == "fit")
        layer.fit = parse_fit(what, setting.value);
    else
        refuse_name(what, "weights, activations, grain and fit");
}

const char* name_of(notch::weight_fit fit) {
    for (const word<notch::weight_fit>& each : fit_words)
        if (each.value == fit)
            return each.name.data();
    return "mse";
}

std::string name_of(const notch::split_policy& split) {
    for (const word<notch::split_taps>& each : tap_words)
        if (split.bits != 0 && each.value == split.taps)
            return std::string(each.name) + ":" + std::to_string(split.bits);
    return "none";
}

std::string rescaling_name(const notch::quantization_recipe& methods) {
    for (const word<rescaling>& each : rescale_words)
        if (methods.rescale && each.value.rule == methods.rescaling.rule &&
            each.value.powers_of_two == methods.rescaling.powers_of_two)
            return std::string(each.name);
    return "none";
}

std::string reordering_name(const notch::quantization_recipe& methods) {
    for (const word<notch::reorder_method>& each : reorder_words)
        if (methods.reorder && each.value == methods.ordering.method)
            return std::string(each.name);
    return "none";
}

} // namespace tool
