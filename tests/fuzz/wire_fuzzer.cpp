// The fuzzer of what peers say on a socket, with clang's libFuzzer: cmake --preset fuzz && cmake --build --preset fuzz &&
// build/fuzz/tests/fuzz/wire_fuzzer -max_total_time=300
#include "wire_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::hear_anything({data, size});
  return 0;
}
