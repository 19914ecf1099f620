/// @file
/// Recipes: settings as a JSON file, for the whole network and for single layers.
///
///     {"weights": 4, "activations": 8, "grain": "block:16x16", "scale": "pot",
///      "layers": {"conv1": {"weights": 8, "grain": "channel"}}}
#pragma once

#include "settings.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tool {

/// Sets what a recipe file says. Raises std::runtime_error that names the file, the setting and what is possible.
void read_recipe(network_settings& settings, const std::string& path);

/// The settings as a recipe: read_recipe makes the same of it.
[[nodiscard]] nlohmann::ordered_json recipe_of(const network_settings& settings);

} // namespace tool
