/// @file
/// The numbers of every tensor between layers: of the float network, of an integer run, of golden arrays.
#pragma once

#include "integer_network.hpp"
#include "network.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tool {

/// Tensors of a plan's network, [count, ...] each; empty: not there.
using tensor_values = std::vector<std::vector<float>>;

/// Gives the tensors of images [first, first + count).
using value_source = std::function<tensor_values(std::size_t first, std::size_t count)>;

/// The float network that a plan was made of. What is given must outlive the source; so below.
[[nodiscard]] value_source float_values(const notch::plan& plan, const image_file& images, thread_pool& pool);

/// The integer run: codes as the reals that they stand for.
[[nodiscard]] value_source integer_values(const quantized_network& net, const image_file& images, std::size_t most,
                                          thread_pool& pool);

/// Arrays of an .npz file, or of the .npy files of a folder, named as tensors or as the layers that write them; a / of a name
/// may be an _ there. `images`: how many there must be. Raises std::runtime_error for arrays of other extents, and where no
/// name fits.
[[nodiscard]] value_source golden_values(const std::string& path, const notch::plan& plan, std::size_t images);

} // namespace tool
