/// @file
/// Plans to bytes. Part of plan_file.hpp.
#pragma once

#include <notch/core/checksum.hpp>
#include <notch/core/framed_bytes.hpp>
#include <notch/deploy/plan_fields.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// The frames of plans.
inline constexpr frame_format plan_frame{"notchpln", 1, "a plan of kind", checksum64, false};
/// The only kind.
inline constexpr std::uint32_t plan_kind = 1;

/// Writes objects, field by field.
class plan_writer {
public:
    plan_writer() : to_(plan_frame, plan_kind) {}

    /// Writes a member.
    template <plain_number T> void operator()(const char*, const T& x) {
        put_bits(to_.put_zeros(bytes_in_file<T>), bits_of_number(x), bytes_in_file<T>);
    }
    template <class T>
        requires std::is_enum_v<T>
    void operator()(const char* name, const T& x) { (*this)(name, static_cast<std::uint32_t>(x)); }
    void operator()(const char* name, const std::string& x) {
        (*this)(name, x.size());
        std::byte* to = to_.put_zeros(x.size());
        if (!x.empty())
            std::memcpy(to, x.data(), x.size());
    }
    template <class T, std::size_t N> void operator()(const char* name, const std::array<T, N>& x) {
        for (const T& element : x)
            (*this)(name, element);
    }
    template <class T> void operator()(const char* name, const std::optional<T>& x) {
        (*this)(name, x.has_value());
        if (x)
            (*this)(name, *x);
    }
    template <class T> void operator()(const char* name, const std::vector<T>& x) {
        (*this)(name, x.size());
        if constexpr (plain_number<T>)
            put_numbers(x);
        else
            for (const T& element : x)
                (*this)(name, element);
    }
    template <class... Ops> void operator()(const char* name, const std::variant<Ops...>& x) {
        (*this)(name, static_cast<std::uint32_t>(x.index()));
        std::visit([this](const auto& op) { each_field(*this, op); }, x);
    }
    template <class T>
        requires(std::is_class_v<T>)
    void operator()(const char*, const T& x) { each_field(*this, x); }

    /// The bytes.
    [[nodiscard]] std::vector<std::byte> finish() && { return std::move(to_).finish(); }

private:
    static void put_bits(std::byte* to, std::uint64_t bits, std::size_t size) noexcept {
        for (std::size_t i = 0; i < size; ++i)
            to[i] = static_cast<std::byte>(bits >> (8 * i) & 0xff);
    }
    template <class T> void put_numbers(const std::vector<T>& x) {
        std::byte* to = to_.put_zeros(x.size() * bytes_in_file<T>);
        if (x.empty())
            return;
        if constexpr (lies_as_in_file<T>)
            std::memcpy(to, x.data(), x.size() * sizeof(T));
        else
            for (std::size_t i = 0; i < x.size(); ++i)
                put_bits(to + i * bytes_in_file<T>, bits_of_number(x[i]), bytes_in_file<T>);
    }

    framed_writer to_;
};

} // namespace notch::detail
