/// @file
/// How the state of an observer becomes bytes and comes back: a frame (core/framed_bytes.hpp) with the letters "notchobs",
/// version 1, the kind of observer, and FNV-1a (64 bits) as its checksum.
///
/// A step of FNV-1a is a bijection of the hash for every byte and of the byte for every hash, so a
/// change of any single byte is always noticed; of other damage, all but one case in 2^64.
#pragma once

#include <notch/core/framed_bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace notch::detail {

/// The frames of observers.
inline constexpr frame_format observer_frame{"notchobs", 1, "an observer of kind", fnv1a};

/// Writes the state of one observer: construct, append the payload, finish.
class frame_writer : public framed_writer {
public:
    /// Starts a frame of one kind.
    explicit frame_writer(std::uint32_t kind) : framed_writer(observer_frame, kind) {}
};

/// Reads the state of one observer: the constructor checks the frame, the getters walk through the payload.
class frame_reader : public framed_reader {
public:
    /// Raises format_error unless the bytes are one whole undamaged frame of this kind. `label` says what
    /// is being read, `name` whose it is; both must outlive the reader.
    frame_reader(std::span<const std::byte> bytes, std::uint32_t kind, std::string_view label, std::string_view name)
        : framed_reader(observer_frame, bytes, kind, label, name) {}
};

} // namespace notch::detail
