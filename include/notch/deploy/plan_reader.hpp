/// @file
/// Bytes to plans. Part of plan_file.hpp.
#pragma once

#include <notch/core/checksum.hpp>
#include <notch/core/error.hpp>
#include <notch/core/framed_bytes.hpp>
#include <notch/deploy/plan_fields.hpp>
#include <notch/deploy/plan_writer.hpp>

#include <array>
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
