/// @file
/// Plans to bytes and back. Part of plan_file.hpp.
#pragma once

#include <notch/core/checksum.hpp>
#include <notch/core/error.hpp>
#include <notch/core/framed_bytes.hpp>
#include <notch/deploy/plan_fields.hpp>
#include <notch/ptq/plan.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace notch::detail {

/// The frames of plans.
inline constexpr frame_format plan_frame{"notchpln", 1, "a plan of kind", checksum64, false};
/// The only kind.
inline constexpr std::uint32_t plan_kind = 1;

/// The bits of a number as they stand in a file.
template <plain_number T> [[nodiscard]] constexpr std::uint64_t bits_of_number(T x) noexcept {
    if constexpr (std::same_as<T, float>)
        return std::bit_cast<std::uint32_t>(x);
    else if constexpr (std::same_as<T, double>)
        return std::bit_cast<std::uint64_t>(x);
    else if constexpr (std::same_as<T, bool>)
        return x ? 1 : 0;
    else
        return static_cast<std::make_unsigned_t<T>>(x);
}
/// The number of bits that bits_of_number gave.
template <plain_number T> [[nodiscard]] constexpr T number_of_bits(std::uint64_t bits) noexcept {
    if constexpr (std::same_as<T, float>)
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    else if constexpr (std::same_as<T, double>)
        return std::bit_cast<double>(bits);
    else if constexpr (std::same_as<T, bool>)
        return bits != 0;
    else
        return static_cast<T>(static_cast<std::make_unsigned_t<T>>(bits));
}

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

/// Reads objects, field by field. Errors name the member: plan.net.layers[3].op.weights.values.
class plan_reader {
public:
    /// Checks the frame; raises format_error.
    plan_reader(std::span<const std::byte> bytes, std::string_view label)
        : from_(plan_frame, bytes, plan_kind, "plan", label) {}

    /// Reads the members of an object that is all there is. Raises format_error.
    template <class T> void read(T& to) {
        each_field(*this, to);
        from_.finish();
    }

    /// Reads a member.
    template <plain_number T> void operator()(const char* name, T& x) {
        const place here(*this, name);
        x = number<T>();
    }
    template <class T>
        requires std::is_enum_v<T>
    void operator()(const char* name, T& x) {
        const place here(*this, name);
        x = static_cast<T>(below(static_cast<std::uint32_t>(values_of_enum<T>)));
    }
    void operator()(const char* name, std::string& x) {
        const place here(*this, name);
        const std::size_t count = count_of(1);
        const std::span<const std::byte> bytes = from_.get_bytes(count, name);
        x.assign(reinterpret_cast<const char*>(bytes.data()), count);
    }
    template <class T, std::size_t N> void operator()(const char* name, std::array<T, N>& x) {
        for (T& element : x)
            (*this)(name, element);
    }
    template <class T> void operator()(const char* name, std::optional<T>& x) {
        bool there = false;
        (*this)(name, there);
        if (there)
            (*this)(name, x.emplace());
    }
    template <class T> void operator()(const char* name, std::vector<T>& x) {
        place here(*this, name);
        if constexpr (plain_number<T>) {
            const std::size_t count = count_of(bytes_in_file<T>);
            x.resize(count);
            get_numbers(x, name);
        } else {
            const std::size_t count = count_of(1); // grows as elements are read: each takes a byte at least
            for (std::size_t i = 0; i < count; ++i) {
                here.at(i);
                (*this)("", x.emplace_back());
            }
        }
    }
    template <class... Ops> void operator()(const char* name, std::variant<Ops...>& x) {
        const place here(*this, name);
        const std::uint32_t kind = below(sizeof...(Ops));
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            static_cast<void>(((I == kind && (each_field(*this, x.template emplace<I>()), true)) || ...));
        }
        (std::index_sequence_for<Ops...>());
    }
    template <class T>
        requires(std::is_class_v<T>)
    void operator()(const char* name, T& x) {
        const place here(*this, name);
        each_field(*this, x);
    }

private:
    static constexpr std::size_t no_index = std::numeric_limits<std::size_t>::max();
    /// A member, as long as it is read.
    class place {
    public:
        place(plan_reader& of, const char* name) : of_(of) { of_.path_.emplace_back(name, no_index); }
        ~place() { of_.path_.pop_back(); }
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        /// Now its element i.
        void at(std::size_t i) noexcept { of_.path_.back().second = i; }

    private:
        plan_reader& of_;
    };

    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        std::string at = "plan";
        for (const auto& [name, index] : path_) {
            at += *name == '\0' ? "" : text(".", name);
            at += index == no_index ? "" : text("[", index, "]");
        }
        from_.fail(at, parts...);
    }
    [[nodiscard]] std::uint64_t bits(std::size_t size) {
        if (from_.remaining() < size)
            fail(" takes ", size, " bytes, ", from_.remaining(), " are left");
        return little_endian(from_.get_bytes(size, "").data(), size);
    }
    template <class T> [[nodiscard]] T number() {
        const std::uint64_t found = bits(bytes_in_file<T>);
        if constexpr (std::same_as<T, bool>)
            if (found > 1)
                fail(" is ", found, "; it is 0 or 1");
        if constexpr (std::same_as<T, std::size_t>)
            if (found > std::numeric_limits<std::size_t>::max())
                fail(" is ", found, ", beyond ", std::numeric_limits<std::size_t>::max());
        return number_of_bits<T>(found);
    }
    /// A number of one of some kinds.
    [[nodiscard]] std::uint32_t below(std::uint32_t count) {
        const std::uint32_t kind = number<std::uint32_t>();
        if (kind >= count)
            fail(" is of kind ", kind, "; there are ", count);
        return kind;
    }
    /// The number of elements that follow, each of at least some bytes.
    [[nodiscard]] std::size_t count_of(std::size_t size) {
        const std::size_t count = number<std::size_t>();
        if (count > from_.remaining() / size)
            fail(" has ", count, " elements of ", size, size == 1 ? " byte" : " bytes", " at least, ",
                 from_.remaining(), " bytes are left");
        return count;
    }
    template <class T> void get_numbers(std::vector<T>& to, const char* name) {
        const std::byte* from = from_.get_bytes(to.size() * bytes_in_file<T>, name).data();
        if (to.empty())
            return;
        if constexpr (lies_as_in_file<T>)
            std::memcpy(to.data(), from, to.size() * sizeof(T));
        else
            for (std::size_t i = 0; i < to.size(); ++i)
                to[i] = number_of_bits<T>(little_endian(from + i * bytes_in_file<T>, bytes_in_file<T>));
    }

    framed_reader from_;
    std::vector<std::pair<const char*, std::size_t>> path_{};
};

} // namespace notch::detail
