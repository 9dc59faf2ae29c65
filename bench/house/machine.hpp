// On what the figures were measured.
#pragma once

#include <string>

namespace bench {

/// A paragraph: processor, kernel, compiler, flags.
std::string describe_machine();

}  // namespace bench
