/// @file
/// Tensors of an ONNX file as numbers: initializers and values of Constant.
///
/// float, float16, double, int32, int64 and bool, in raw bytes, in typed fields, or in a file beside the model. Nothing is
/// allocated by a number that comes from the file: extents are multiplied with care and compared with the bytes that are
/// there. The copies of all layers together are bounded too, since many nodes may name one initializer.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/int_math.hpp>
#include <notch/io/file_bytes.hpp>
#include <notch/io/onnx_proto.hpp>

#if NOTCH_HAS_ONNX

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace notch::detail {

/// A tensor that a file gives, or that follows from shapes.
struct onnx_constant {
    std::vector<std::size_t> shape{};
    std::vector<float> reals{};
    std::vector<std::int64_t> integers{};
    bool is_integer = false;
    bool holds_batch = false; ///< an integer batch_extent stands for the number of images

    /// Its elements.
    [[nodiscard]] std::size_t size() const noexcept { return is_integer ? integers.size() : reals.size(); }
};

/// Most axes of a tensor.
inline constexpr int most_rank = 32;

/// What stands for the number of images where Shape is computed.
inline constexpr std::int64_t batch_extent = std::numeric_limits<std::int64_t>::min();

/// Where a model comes from.
struct onnx_source {
    std::string label{};           ///< "model 'net.onnx'"
    std::string path{};            ///< empty: bytes in memory, which have no files beside them
    std::uint64_t allowed_bytes{}; ///< that may still be allocated for numbers
    std::set<std::string> files{}; ///< with external data

    /// Bytes that are there may become sixteen times as many: floats from halves, and layers that share weights.
    void allow_copies_of(std::uint64_t bytes) noexcept { allowed_bytes += 16 * bytes; }
};

/// IEEE half precision.
[[nodiscard]] inline float half_to_float(std::uint16_t half) noexcept {
    const std::uint32_t sign = std::uint32_t{half} >> 15 << 31;
    const std::uint32_t exponent = half >> 10 & 31U;
    const std::uint32_t fraction = half & 1023U;
    if (exponent == 0) {
        const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
    }
    const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// Reads one tensor.
class onnx_tensor_reader {
public:
    /// `what` names the tensor where it has no name of its own.
    onnx_tensor_reader(const proto::TensorProto& tensor, onnx_source& source, std::string_view what)
        : tensor_(tensor), source_(source), name_(tensor.name().empty() ? std::string(what) : tensor.name()) {}

    /// Its numbers. Raises format_error where they are not there, unsupported_error for other types.
    [[nodiscard]] onnx_constant read() {
        onnx_constant result;
        result.shape = shape();
        if (tensor_.has_segment())
            raise<unsupported_error>(source_.label, ": ", quoted(name_), " is stored in segments");
        switch (static_cast<onnx_type>(tensor_.data_type())) {
        case onnx_type::float32:
            result.reals = numbers<float, float>(tensor_.float_data());
            break;
        case onnx_type::float16:
            result.reals = numbers<float, std::uint16_t>(tensor_.int32_data());
            break;
        case onnx_type::float64:
            result.reals = numbers<float, double>(tensor_.double_data());
            break;
        case onnx_type::int32:
            result.integers = numbers<std::int64_t, std::int32_t>(tensor_.int32_data());
            break;
        case onnx_type::int64:
            result.integers = numbers<std::int64_t, std::int64_t>(tensor_.int64_data());
            break;
        case onnx_type::boolean:
            result.integers = numbers<std::int64_t, std::uint8_t>(tensor_.int32_data());
            break;
        default:
            raise<unsupported_error>(source_.label, ": ", quoted(name_), " has elements of type ", tensor_.data_type(),
                                     "; float, float16, double, int32, int64 and bool are read");
        }
        result.is_integer = is_integer();
        return result;
    }

    /// Whether the elements are integers.
    [[nodiscard]] bool is_integer() const noexcept {
        const auto type = static_cast<onnx_type>(tensor_.data_type());
        return type == onnx_type::int32 || type == onnx_type::int64 || type == onnx_type::boolean;
    }

    /// The extents.
    [[nodiscard]] std::vector<std::size_t> shape() const {
        std::vector<std::size_t> result;
        std::uint64_t count = 1;
        if (tensor_.dims_size() > most_rank)
            fail(tensor_.dims_size(), " axes; the limit is ", most_rank);
        for (const std::int64_t extent : tensor_.dims()) {
            if (extent < 0 || extent > INT_MAX)
                fail("an extent of ", extent);
            result.push_back(static_cast<std::size_t>(extent));
            count *= static_cast<std::uint64_t>(extent);
            if (count > most_elements)
                fail("extents ", result, " of more than 2^40 elements");
        }
        return result;
    }

private:
    static constexpr std::uint64_t most_elements = std::uint64_t{1} << 40;

    template <class... Parts> [[noreturn]] NOTCH_COLD void fail(const Parts&... parts) const {
        raise<format_error>(source_.label, ": ", quoted(name_), " has ", parts...);
    }

    [[nodiscard]] std::uint64_t count() const {
        std::uint64_t result = 1;
        for (const std::size_t extent : shape())
            result *= extent;
        return result;
    }

    /// Elements of type Stored as numbers of type Number.
    template <class Number, class Stored, class Field> [[nodiscard]] std::vector<Number> numbers(const Field& field) {
        const std::uint64_t elements = count();
        if (tensor_.data_location() == proto::TensorProto::EXTERNAL) {
            const std::string bytes = external_bytes(elements * sizeof(Stored));
            return from_bytes<Number, Stored>(bytes, elements);
        }
        if (tensor_.has_raw_data()) {
            if (tensor_.raw_data().size() != elements * sizeof(Stored))
                fail(tensor_.raw_data().size(), " bytes of data, and extents ", shape(), " need ",
                     elements * sizeof(Stored));
            return from_bytes<Number, Stored>(tensor_.raw_data(), elements);
        }
        if (static_cast<std::uint64_t>(field.size()) != elements)
            fail(field.size(), " numbers, and extents ", shape(), " need ", elements);
        allow(elements * sizeof(Number));
        std::vector<Number> result;
        result.reserve(static_cast<std::size_t>(elements));
        for (const auto value : field)
            result.push_back(converted<Number>(static_cast<Stored>(value)));
        return result;
    }

    template <class Number, class Stored>
    [[nodiscard]] std::vector<Number> from_bytes(const std::string& bytes, std::uint64_t elements) {
        allow(elements * sizeof(Number));
        std::vector<Number> result(static_cast<std::size_t>(elements));
        for (std::size_t i = 0; i < result.size(); ++i) {
            std::uint64_t bits = 0;
            for (std::size_t k = 0; k < sizeof(Stored); ++k)
                bits |= std::uint64_t{static_cast<std::uint8_t>(bytes[i * sizeof(Stored) + k])} << (8 * k);
            result[i] = converted<Number>(stored<Stored>(bits));
        }
        return result;
    }

    template <class Stored> [[nodiscard]] static Stored stored(std::uint64_t bits) noexcept {
        if constexpr (std::is_same_v<Stored, float>)
            return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
        else if constexpr (std::is_same_v<Stored, double>)
            return std::bit_cast<double>(bits);
        else
            return static_cast<Stored>(bits);
    }

    template <class Number, class Stored> [[nodiscard]] Number converted(Stored value) const {
        if constexpr (std::is_same_v<Stored, std::uint16_t>) {
            return half_to_float(value);
        } else if constexpr (std::is_same_v<Stored, double>) {
            if (std::abs(value) > std::numeric_limits<float>::max() && !is_non_finite(value))
                fail("the number ", value, ", which is beyond the range of float");
            return static_cast<float>(value);
        } else {
            return static_cast<Number>(value);
        }
    }

    /// Takes bytes from what may be allocated.
    void allow(std::uint64_t bytes) {
        if (bytes > source_.allowed_bytes)
            raise<format_error>(source_.label, ": the numbers of its layers take far more memory than its files; ",
                                quoted(name_), " is one that many nodes name");
        source_.allowed_bytes -= bytes;
    }

    /// A whole number of an entry of external data.
    [[nodiscard]] std::uint64_t external_number(const proto::StringStringEntryProto& entry) const {
        const std::string& text = entry.value();
        std::uint64_t result = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
        if (error != std::errc{} || end != text.data() + text.size())
            fail("external data with the ", entry.key(), " '", text, "', which is no number");
        return result;
    }

    /// The path of external data: relative, and inside the folder of the model, links followed.
    [[nodiscard]] std::string external_path(const std::string& location) const {
        if (source_.path.empty())
            fail("its data in the file '", location, "', and a model in memory has no files beside it");
        const std::filesystem::path relative(location);
        bool outside = location.empty() || location.find('\0') != std::string::npos || relative.has_root_path() ||
                       location.find('\\') != std::string::npos;
        for (const std::filesystem::path& part : relative)
            outside = outside || part == "..";
        if (outside)
            fail("its data in '", location, "', which is no file inside the folder of the model");
        std::error_code error;
        std::filesystem::path folder = std::filesystem::path(source_.path).parent_path();
        if (folder.empty())
            folder = ".";
        folder = std::filesystem::canonical(folder, error);
        const std::filesystem::path file = std::filesystem::canonical(folder / relative, error);
        if (error || !std::filesystem::is_regular_file(file, error))
            fail("its data in '", location, "', which cannot be found beside the model");
        const auto [rest, unused] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
        if (rest != folder.end())
            fail("its data in '", location, "', which leads out of the folder of the model");
        return file.string();
    }

    /// The bytes of external data.
    [[nodiscard]] std::string external_bytes(std::uint64_t expected) {
        std::string location;
        std::uint64_t offset = 0;
        std::uint64_t length = expected;
        for (const proto::StringStringEntryProto& entry : tensor_.external_data()) {
            if (entry.key() == "location")
                location = entry.value();
            else if (entry.key() == "offset")
                offset = external_number(entry);
            else if (entry.key() == "length")
                length = external_number(entry);
        }
        if (length != expected)
            fail(length, " bytes of external data, and extents ", shape(), " need ", expected);
        const std::string path = external_path(location);
        std::error_code error;
        const std::uint64_t size = std::filesystem::file_size(path, error);
        if (error || offset > size || length > size - offset)
            fail("its data at ", offset, " in '", location, "', which ends before the ", length,
                 " bytes that it should have");
        if (size > most_model_bytes)
            fail("its data in '", location, "', a file of ", size, " bytes; the limit is ", most_model_bytes);
        if (source_.files.insert(path).second)
            source_.allow_copies_of(size);
        std::string bytes(static_cast<std::size_t>(length), '\0');
        const file_handle file = open_file(path, "rb");
        if (std::fseek(file.get(), static_cast<long>(offset), SEEK_SET) != 0 ||
            std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size())
            fail("its data in '", location, "', which cannot be read");
        return bytes;
    }

    const proto::TensorProto& tensor_;
    onnx_source& source_;
    std::string name_;
};

} // namespace notch::detail

#endif
