/// @file
/// Rows of packing, compiled apart from the products.
#pragma once

namespace bench {

/// Registers rows `pack`: a weight matrix of 4096 by 4096 codes of one byte is packed. The peer copies the codes.
void add_pack();

} // namespace bench
