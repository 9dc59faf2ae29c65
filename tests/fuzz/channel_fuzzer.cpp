// The fuzzer of secure channels, with clang's libFuzzer: cmake --preset fuzz && cmake --build --preset fuzz &&
// build/fuzz/tests/fuzz/channel_fuzzer -max_total_time=300
#include "channel_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::channels_under_attack({data, size}).run();
  return 0;
}
