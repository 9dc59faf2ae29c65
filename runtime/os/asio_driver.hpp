// The I/O driver over Boost.Asio's reactor, for kernels and containers that refuse io_uring.
#pragma once

#include <memory>

#include "io_driver.hpp"

namespace troupe::detail {

result<std::unique_ptr<io_driver>, setup_error> make_asio_driver();

}  // namespace troupe::detail
