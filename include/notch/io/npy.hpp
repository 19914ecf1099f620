/// @file
/// Arrays of NumPy as .npy files, and files of bytes as they are. npz.hpp reads archives of them.
///
///     const npy_array images = read_npy("images.npy");
///     const std::vector<float>& pixels = std::get<std::vector<float>>(images.values);
///     write_npy({{2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}}, "out.npy");
///
/// float32, float64, int8, uint8, int16, int32 and int64, little-endian, row-major; arrays in Fortran's order are turned
/// into that when they are read. Versions 1.0, 2.0 and 3.0 of the format are read, 1.0 is written.
///
/// The reader trusts nothing: extents are multiplied with care and compared with the bytes that are there. Files may have
/// 2^34 bytes.
#pragma once

#include <notch/core/error.hpp>
#include <notch/io/file_bytes.hpp>
#include <notch/io/npy_header.hpp>
#include <notch/model/network.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace notch {

/// Elements of an array, in row-major order.
using npy_values =
    std::variant<std::vector<float>, std::vector<double>, std::vector<std::int8_t>, std::vector<std::uint8_t>,
                 std::vector<std::int16_t>, std::vector<std::int32_t>, std::vector<std::int64_t>>;

/// An array of a file.
struct npy_array {
    std::vector<std::size_t> shape{}; ///< empty: one number
    npy_values values{};              ///< row-major
};

namespace detail {

/// Most bytes of a file of numbers.
inline constexpr std::uint64_t most_array_bytes = std::uint64_t{1} << 34;

/// The kinds of elements, in the order of npy_values.
inline constexpr std::array<std::string_view, 7> npy_descrs{"<f4", "<f8", "|i1", "|u1", "<i2", "<i4", "<i8"};

/// Elements of a shape; the largest number where there are more.
[[nodiscard]] inline std::size_t element_count_or_most(const std::vector<std::size_t>& shape) noexcept {
    if (std::find(shape.begin(), shape.end(), 0U) != shape.end())
        return 0;
    std::size_t count = 1;
    for (const std::size_t extent : shape) {
        if (extent > std::numeric_limits<std::size_t>::max() / count)
            return std::numeric_limits<std::size_t>::max();
        count *= extent;
    }
    return count;
}

/// The bytes of an element in the order of the file, there and back.
template <class T> void swap_to_little_endian(T& element) noexcept {
    if constexpr (std::endian::native == std::endian::big) {
        std::byte bytes[sizeof(T)];
        std::memcpy(bytes, &element, sizeof(T));
        std::reverse(bytes, bytes + sizeof(T));
        std::memcpy(&element, bytes, sizeof(T));
    }
}

/// Elements of column-major order in row-major order.
template <class T>
[[nodiscard]] std::vector<T> row_major(const std::vector<T>& columns, const std::vector<std::size_t>& shape) {
    std::vector<T> result(columns.size());
    std::vector<std::size_t> index(shape.size(), 0);
    for (T& element : result) {
        std::size_t from = 0;
        for (std::size_t axis = shape.size(); axis-- > 0;)
            from = from * shape[axis] + index[axis];
        element = columns[from];
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            if (++index[axis] < shape[axis])
                break;
            index[axis] = 0;
        }
    }
    return result;
}

/// Fills an empty list of one type with the elements behind a header.
template <class T>
void read_elements(std::vector<T>& to, std::span<const std::byte> bytes, const npy_header& header,
                   const std::string& label) {
    const std::size_t count = element_count_or_most(header.shape);
    if (bytes.size() % sizeof(T) != 0 || count != bytes.size() / sizeof(T))
        raise<format_error>(label, ": an array of extents ", header.shape, " has ", bytes.size(), " bytes; each of ",
                            count, " elements takes ", sizeof(T));
    to.resize(count);
    if (count != 0)
        std::memcpy(to.data(), bytes.data(), bytes.size());
    for (T& element : to)
        swap_to_little_endian(element);
    if (header.fortran_order && header.shape.size() > 1)
        to = row_major(to, header.shape);
}

/// The list of npy_values that a kind of elements belongs to, empty.
[[nodiscard]] inline npy_values values_of_kind(std::size_t kind) {
    static constexpr auto make = []<std::size_t... I>(std::size_t wanted, std::index_sequence<I...>) {
        npy_values result;
        static_cast<void>(((I == wanted && (result.emplace<I>(), true)) || ...));
        return result;
    };
    return make(kind, std::make_index_sequence<std::variant_size_v<npy_values>>());
}

/// An array of the bytes of a .npy file; `label` says whose.
[[nodiscard]] inline npy_array npy_from(std::span<const std::byte> bytes, const std::string& label) {
    const npy_header header = npy_header_reader(bytes, label).read();
    std::size_t kind = 0;
    while (kind < npy_descrs.size() && header.descr != npy_descrs[kind])
        ++kind;
    if (kind == npy_descrs.size())
        raise<unsupported_error>(label, ": elements of type '", header.descr,
                                 "'; float32, float64, int8, uint8, int16, int32 and int64, little-endian, are read");
    npy_array result{header.shape, values_of_kind(kind)};
    std::visit([&](auto& values) { read_elements(values, bytes.subspan(header.data), header, label); }, result.values);
    return result;
}

} // namespace detail

/// An array of the bytes of a .npy file. Raises format_error for bytes that are none, unsupported_error for other types of
/// elements.
[[nodiscard]] inline npy_array npy_from_bytes(std::span<const std::byte> bytes) {
    return detail::npy_from(bytes, "array");
}

/// An array as the bytes of a .npy file of version 1.0. Raises shape_error where extents and elements differ.
[[nodiscard]] inline std::vector<std::byte> npy_bytes(const npy_array& array) {
    std::string head =
        detail::text("{'descr': '", detail::npy_descrs[array.values.index()], "', 'fortran_order': False, 'shape': (");
    for (std::size_t axis = 0; axis < array.shape.size(); ++axis)
        head += std::to_string(array.shape[axis]) + (array.shape.size() == 1 ? "," : "") +
                (axis + 1 < array.shape.size() ? ", " : "");
    head += "), }";
    head.append(63 - (10 + head.size()) % 64, ' ');
    head += '\n';
    if (array.shape.size() > 32)
        detail::raise<shape_error>("an array of ", array.shape.size(), " axes; at most 32 are written");
    std::string file = "\x93NUMPY\x01";
    file += '\0';
    file += static_cast<char>(head.size() & 0xff);
    file += static_cast<char>(head.size() >> 8);
    file += head;
    return std::visit(
        [&](auto values) {
            if (values.size() != detail::element_count_or_most(array.shape))
                detail::raise<shape_error>("an array of extents ", array.shape, " has ", values.size(), " elements");
            for (auto& value : values)
                detail::swap_to_little_endian(value);
            const std::span<const std::byte> elements = std::as_bytes(std::span(values));
            std::vector<std::byte> bytes(file.size() + elements.size());
            std::memcpy(bytes.data(), file.data(), file.size());
            std::copy(elements.begin(), elements.end(), bytes.begin() + static_cast<std::ptrdiff_t>(file.size()));
            return bytes;
        },
        array.values);
}

/// Reads a .npy file. Raises format_error where it cannot be read or is none; otherwise as npy_from_bytes.
[[nodiscard]] inline npy_array read_npy(const std::string& path) {
    return detail::npy_from(detail::read_file(path, detail::most_array_bytes), detail::text("file '", path, "'"));
}

/// Writes a .npy file, which is there as a whole or not at all. Raises format_error where that fails, otherwise as npy_bytes.
inline void write_npy(const npy_array& array, const std::string& path) { detail::write_file(path, npy_bytes(array)); }

/// The elements of an array as floats: float64 and integers are rounded to the nearest one.
[[nodiscard]] inline float_array to_floats(const npy_array& array) {
    return std::visit(
        [&](const auto& values) {
            float_array result{array.shape, {}};
            result.values.reserve(values.size());
            for (const auto value : values)
                result.values.push_back(static_cast<float>(value));
            return result;
        },
        array.values);
}

/// The bytes of a file as they are. Raises format_error where it cannot be read.
[[nodiscard]] inline std::vector<std::uint8_t> read_raw(const std::string& path) {
    const std::vector<std::byte> bytes = detail::read_file(path, detail::most_array_bytes);
    std::vector<std::uint8_t> result(bytes.size());
    if (!bytes.empty())
        std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
}

} // namespace notch
