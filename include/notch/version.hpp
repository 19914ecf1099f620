/// @file
/// The version of notch, stated once. CMake reads it from here.
#pragma once

/// Major version: changes when code that compiled against notch stops compiling.
#define NOTCH_VERSION_MAJOR 0
/// Minor version: changes when something is added.
#define NOTCH_VERSION_MINOR 1
/// Patch version: changes when something is mended.
#define NOTCH_VERSION_PATCH 0
