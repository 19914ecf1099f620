/// @file
/// Plans as files: what calibration and all methods have decided, to be lowered, simulated or exported later and elsewhere.
///
///     save_plan(plan, "net.plan");
///     const plan again = load_plan("net.plan");       lower(again), simulator(again), as_qdq(again): those of `plan`
///
/// A file is a frame (core/framed_bytes.hpp) with the letters "notchpln", version 1, kind 1, the length of what follows and
/// checksum64 of all before it. It holds every member of a plan in the order of deploy/plan_fields.hpp, little-endian:
///
///     int, std::int32_t, enumeration    4 bytes          float, double                  their 4 or 8 bytes
///     std::size_t                       8 bytes          bool                           1 byte, 0 or 1
///     std::int8_t                       1 byte           std::array                     its elements
///     std::string, std::vector          8 bytes with the number of elements, then those
///     std::optional                     bool, then the value where there is one
///     operation                         4 bytes with its number, in the order of model/network.hpp, then its members
///
/// Equal plans give equal bytes, and bytes that can be read are those that the plan gives again.
///
/// The reader trusts nothing. A damaged, truncated or foreign file is a format_error, and so is one whose checksum is right
/// but whose numbers do not fit together: all that deploy/plan_check.hpp lists. No number of a file is allocated before its
/// bytes are there; a plan that was read can be given to lower, simulator and as_qdq, which compute it or raise an error.
///
/// Cost: two walks over the bytes, one for the checksum, and one over the codes; memory for the plan and the file.
#pragma once

#include <notch/core/error.hpp>
#include <notch/core/framed_bytes.hpp>
#include <notch/deploy/plan_check.hpp>
#include <notch/deploy/plan_fields.hpp>
#include <notch/deploy/plan_reader.hpp>
#include <notch/deploy/plan_writer.hpp>
#include <notch/io/file_bytes.hpp>
#include <notch/ptq/plan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace notch {

namespace detail {

/// The largest file of a plan that is read.
inline constexpr std::uint64_t most_plan_bytes = std::uint64_t{1} << 34;

/// The bytes that a file of a plan may have, by its first ones, so that a file without end is refused before it is read.
/// Raises format_error where those are not the beginning of a plan.
[[nodiscard]] inline std::uint64_t plan_file_limit(const std::string& path, std::string_view label) {
    std::byte head[frame_header_size];
    const file_handle file = open_file(path, "rb");
    if (std::fread(head, 1, sizeof head, file.get()) < sizeof head)
        return most_plan_bytes; // too short, or a folder: told by who reads all of it
    if (std::memcmp(head, plan_frame.magic.data(), plan_frame.magic.size()) != 0)
        raise<format_error>(label, ": foreign bytes; a plan begins with \"", plan_frame.magic, '"');
    std::uint64_t payload = 0;
    for (std::size_t i = 8; i-- > 0;)
        payload = payload << 8 | std::to_integer<std::uint64_t>(head[16 + i]);
    constexpr std::uint64_t around = frame_header_size + frame_checksum_size;
    return std::min(payload, most_plan_bytes - around) + around;
}

} // namespace detail

/// A plan as the bytes of a file. Raises format_error for a plan that could not be read again, because it contradicts itself.
[[nodiscard]] inline std::vector<std::byte> plan_bytes(const plan& from) {
    detail::plan_checker(from, detail::text("plan of '", from.net.name, "'")).check();
    detail::plan_writer to;
    detail::each_field(to, from);
    return std::move(to).finish();
}

/// The plan of the bytes of a file; `label` says whose, in messages. Raises format_error as said above.
[[nodiscard]] inline plan plan_from_bytes(std::span<const std::byte> bytes, std::string_view label = "plan") {
    plan to;
    detail::plan_reader(bytes, label).read(to);
    detail::plan_checker(to, label).check();
    return to;
}

/// Writes a plan as a file, which is there as a whole or not at all. Raises format_error where that fails, and as plan_bytes.
inline void save_plan(const plan& from, const std::string& path) { detail::write_file(path, plan_bytes(from)); }

/// Reads the plan of a file. Raises format_error where it cannot be read or has more than 2^34 bytes, and as
/// plan_from_bytes.
[[nodiscard]] inline plan load_plan(const std::string& path) {
    const std::string label = detail::text("file '", path, "'");
    return plan_from_bytes(detail::read_file(path, detail::plan_file_limit(path, label)), label);
}

} // namespace notch
