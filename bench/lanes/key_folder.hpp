// Keys for the two nodes of a case, and the list of both, in a folder that is removed with this object.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <troupe/node.hpp>

#include "bench_case.hpp"
#include "key_files.hpp"

namespace bench {

class key_folder {
 public:
  key_folder() {
    std::filesystem::create_directories(path_);
    std::string list;
    for (const std::string name : {"near", "far"}) {
      const auto key = troupe::detail::node_key::make();
      check(key && troupe::detail::write_key_file(troupe::os_env(), path_ / name, *key), "no key");
      list += troupe::detail::allow_list_line(name, key->public_half()) + "\n";
    }
    std::ofstream(path_ / "peers") << list;
    chmod((path_ / "peers").c_str(), 0600);
  }
  key_folder(const key_folder&) = delete;
  key_folder& operator=(const key_folder&) = delete;
  ~key_folder() { std::filesystem::remove_all(path_); }

  void give_to(troupe::node_options& node) const {
    node.key = path_ / node.name;
    node.peers = path_ / "peers";
  }

 private:
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("troupe-bench-" + std::to_string(getpid()));
};

}  // namespace bench
