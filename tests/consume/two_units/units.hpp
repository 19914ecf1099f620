/// @file
/// The two units of the program. Both compute the same from the same header, with different compiler flags.
#pragma once

/// Computed by a unit that is compiled for every processor.
int plain_result();

/// Computed by a unit that is compiled for a processor with AVX2; call it only there.
int wide_result();
