// The I/O driver over io_uring.
#pragma once

#include <memory>

#include "io_driver.hpp"

namespace troupe::detail {

/// The error is the kernel's reason and the fix, e.g. "EPERM: operation not permitted; allow io_uring_setup
/// ...".
result<std::unique_ptr<io_driver>, setup_error> make_uring_driver();

}  // namespace troupe::detail
