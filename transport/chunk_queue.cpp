#include "chunk_queue.hpp"

#include <new>

#include <troupe/detail/checked.hpp>

namespace troupe::detail {

std::size_t encoded_size(const wire_type& type, const void* message, void* context) {
  writer scale = writer::scale(context);
  type.encode(scale, message);
  return scale.size();
}

std::unique_ptr<std::byte[]> chunk_memory(std::size_t bytes) noexcept {
  if (allocation_fails()) return nullptr;
  return std::unique_ptr<std::byte[]>(new (std::nothrow) std::byte[bytes]);
}

std::optional<chunked_frame> encode_chunked(const frame_header& header, const wire_type& type,
                                            const void* message, void* context, std::size_t bytes) {
  std::unique_ptr<std::byte[]> memory = chunk_memory(bytes);
  if (memory == nullptr) return std::nullopt;
  writer out({memory.get(), bytes}, context);
  type.encode(out, message);
  return chunked_frame(header, std::move(memory), out.ok() ? out.size() : bytes + 1);
}

}  // namespace troupe::detail
