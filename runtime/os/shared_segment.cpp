// Shared memory segments: anonymous files, sealed so that the reader needs no trust. SHRINK and GROW: a peer
// cannot cut the file and raise SIGBUS in us. FUTURE_WRITE (set after the owner's own mapping): nobody else
// can ever write, also not by reopening the descriptor. SEAL: none of this can be undone.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <troupe/assert.hpp>
#include "os/kernel_env.hpp"

namespace troupe::detail {
namespace {

constexpr std::size_t page = 4096;
constexpr int required_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

result<mapping> map(env& owner, int fd, std::size_t size, int protection) {
  void* const at = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return error(errc::io_failed, errno);
  return mapping(owner, static_cast<std::byte*>(at), size);
}

}  // namespace

result<std::pair<descriptor, mapping>> kernel_env::create_segment(std::size_t size) {
  TROUPE_ASSERT(size > 0 && size % page == 0, "a segment's size is a multiple of 4096");
  descriptor file(*this, ::memfd_create("troupe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0) return error(errc::io_failed, errno);
  auto memory = map(*this, file.get(), size, PROT_READ | PROT_WRITE);
  if (!memory) return memory.error();
  if (::fcntl(file.get(), F_ADD_SEALS, required_seals) != 0) return error(errc::io_failed, errno);
  return std::pair(std::move(file), std::move(*memory));
}

result<mapping> kernel_env::map_segment(int fd, std::size_t size) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & required_seals) != required_seals) return error(errc::bad_message);
  struct stat file{};
  if (::fstat(fd, &file) != 0) return error(errc::io_failed, errno);
  if (size == 0 || file.st_size != static_cast<off_t>(size)) return error(errc::bad_message);
  return map(*this, fd, size, PROT_READ);
}

void kernel_env::unmap(std::byte* data, std::size_t size) noexcept { ::munmap(data, size); }

}  // namespace troupe::detail
