// Hints to the kernel about memory (runtime/os).
#pragma once

#include <cstddef>

namespace troupe::detail {

/// All of this memory is about to be written for the first time: maps its pages together, which costs less than one by one
/// when they are met. A kernel that cannot (before 5.14) maps them then.
void touch_soon(void* begin, std::size_t bytes) noexcept;
/// All of it is soon in use, and stays so.
void prefer_huge_pages(void* begin, std::size_t bytes) noexcept;

}  // namespace troupe::detail
