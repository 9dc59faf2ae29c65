// errno values as words, for error messages. Thread-safe.
#pragma once

#include <string>

namespace troupe::detail {

/// "permission denied"
std::string errno_text(int number);
/// "EPERM: operation not permitted"
std::string errno_name_and_text(int number);

}  // namespace troupe::detail
