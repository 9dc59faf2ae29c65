// A folder of one's own under the system's temporary one, removed with everything in it at the end of the scope.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <troupe/result.hpp>

namespace demo {

class temporary_folder {
 public:
  static troupe::result<std::unique_ptr<temporary_folder>, troupe::setup_error> make(
      const std::string& prefix) {
    std::error_code unknown;
    std::string path = (std::filesystem::temp_directory_path(unknown) / (prefix + "-XXXXXX")).string();
    if (::mkdtemp(path.data()) != nullptr)
      return std::unique_ptr<temporary_folder>(new temporary_folder(path));
    return troupe::setup_error("cannot create the folder " + path + ": " +
                               std::generic_category().message(errno) +
                               "; set TMPDIR to a folder that can be written");
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit temporary_folder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace demo
