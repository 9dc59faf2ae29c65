// Keys for some nodes and the allow-list of all of them, as troupe-keys makes them, in a folder that is removed at the end of
// the scope.
#pragma once

#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>
#include <troupe/env.hpp>
#include <vector>

#include "allow_list.hpp"
#include "demo/temporary_folder.hpp"
#include "key_files.hpp"

namespace demo {

class key_folder {
 public:
  static troupe::result<std::unique_ptr<key_folder>, troupe::setup_error> make(
      const std::vector<std::string>& nodes) {
    auto folder = temporary_folder::make("troupe-keys");
    if (!folder) return folder.error();
    std::unique_ptr<key_folder> made(new key_folder(std::move(*folder)));
    std::string list;
    for (const std::string& node : nodes) {
      const auto key = troupe::detail::node_key::make();
      if (!key) return key.error();
      if (const auto written = troupe::detail::write_key_file(troupe::os_env(), made->key(node), *key);
          !written)
        return written.error();
      list += troupe::detail::allow_list_line(node, key->public_half()) + "\n";
    }
    std::ofstream(made->peers()) << list;
    if (::chmod(made->peers().c_str(), S_IRUSR | S_IWUSR) != 0)
      return troupe::setup_error("cannot write " + made->peers());
    return made;
  }

  std::string key(const std::string& node) const { return folder_->path() + "/" + node + ".key"; }
  std::string peers() const { return folder_->path() + "/peers"; }

 private:
  explicit key_folder(std::unique_ptr<temporary_folder> folder) : folder_(std::move(folder)) {}
  std::unique_ptr<temporary_folder> folder_;
};

}  // namespace demo
