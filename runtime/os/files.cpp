// Files of the real disk, and their names, which fsync of a folder makes durable.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "os/kernel_env.hpp"

namespace troupe::detail {
namespace {

/// What a system call gives that a signal does not end.
template <class Call>
auto whole(const Call& call) {
  auto got = call();
  while (got < 0 && errno == EINTR) got = call();
  return got;
}

error failure() noexcept {
  if (errno == ENOENT) return errc::not_found;
  return error(errc::io_failed, errno);
}

class kernel_file final : public file {
 public:
  explicit kernel_file(descriptor fd) noexcept : fd_(std::move(fd)) {}

  result<std::uint64_t> size() override {
    struct stat known{};
    if (::fstat(fd_.get(), &known) != 0) return failure();
    return static_cast<std::uint64_t>(known.st_size);
  }

  result<std::size_t> read(std::uint64_t at, std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done != into.size()) {
      const ssize_t n = whole([&] {
        return ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(at + done));
      });
      if (n < 0) return failure();
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  result<void> write(std::uint64_t at, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t n =
          whole([&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at)); });
      if (n < 0) return failure();
      at += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  result<void> resize(std::uint64_t bytes) override {
    if (whole([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(bytes)); }) != 0) return failure();
    return {};
  }

  result<void> sync() override {  // fdatasync: also the size, but no times
    if (whole([&] { return ::fdatasync(fd_.get()); }) != 0) return failure();
    return {};
  }

 private:
  descriptor fd_;
};

/// Makes the names in the folder of `path` durable.
result<void> sync_folder(env& owner, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
  const descriptor fd(owner,
                      whole([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd || whole([&] { return ::fsync(fd.get()); }) != 0) return failure();
  return {};
}

}  // namespace

result<std::unique_ptr<file>> kernel_env::open_file(const std::string& path, file_use how) {
  const int flags = O_RDWR | O_CLOEXEC | (how == file_use::create ? O_CREAT : 0);
  descriptor fd(*this, whole([&] { return ::open(path.c_str(), flags, S_IRUSR | S_IWUSR); }));
  if (!fd) return failure();
  // Also if it is not new: who made it may have been killed before its name was durable.
  if (const auto named = sync_folder(*this, path); !named) return named.error();
  return std::unique_ptr<file>(std::make_unique<kernel_file>(std::move(fd)));
}

result<void> kernel_env::rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return failure();
  if (const auto named = sync_folder(*this, to); !named) return named;
  return sync_folder(*this, from);
}

result<void> kernel_env::remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return failure();
  return sync_folder(*this, path);
}

}  // namespace troupe::detail
