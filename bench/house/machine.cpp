#include "machine.hpp"

#include <fstream>
#include <thread>

#include <sys/utsname.h>

namespace bench {
namespace {

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "an unknown processor";
}

}  // namespace

std::string describe_machine() {
  utsname kernel{};
  uname(&kernel);
#ifdef __clang__
  const std::string compiler = "clang ";
#else
  const std::string compiler = "GCC ";
#endif
  return processor() + ", " + std::to_string(std::thread::hardware_concurrency()) + " processors, " +
         kernel.sysname + " " + kernel.release + ", " + compiler + __VERSION__ + ", " + BENCH_FLAGS;
}

}  // namespace bench
