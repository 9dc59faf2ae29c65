// The order pipeline as one plain loop: what every layout of the actors must agree with, byte for byte.
// Thread-safety: a pure function of its input files.
#pragma once

#include <string>

#include "ledger.hpp"

namespace orders {

/// Reads both files, writes the ledger, and says how many lines got each status.
file_result<tally> run_reference(const std::string& orders_path, const std::string& stock_path,
                                 const std::string& ledger_path);

}  // namespace orders
