// The fuzzer of the ring's reader, with clang's libFuzzer: cmake --preset fuzz && cmake --build --preset fuzz &&
// build/fuzz/tests/fuzz/ring_fuzzer -max_total_time=300
#include "ring_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::ring_under_attack().run({data, size});
  return 0;
}
