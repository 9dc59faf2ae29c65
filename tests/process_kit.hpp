// What is left of child processes: for the tests of what starts them.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace process_test {

/// No child that these tests have started is left, be it a zombie. (Earlier tests of the same program may have left theirs.)
inline bool childless() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream stat(entry.path() / "stat");
    int pid = 0;
    int parent = 0;
    std::string name;
    std::string state;
    if (!(stat >> pid >> name >> state >> parent) || parent != ::getpid()) continue;
    if (name == "(process_child)" || name == "(sh)") return false;
  }
  return true;
}

/// It runs no more; a zombie does not run. One that has lost its parent may have become a child of this process, which other
/// tests make the reaper of its orphans.
inline bool is_gone(int pid) {
  (void)::waitpid(pid, nullptr, WNOHANG);
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number;
  std::string name;
  std::string state;
  return !(stat >> number >> name >> state) || state == "Z";
}

}  // namespace process_test
