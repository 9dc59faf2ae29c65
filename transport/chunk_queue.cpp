#include "chunk_queue.hpp"

#include <new>

#include <troupe/detail/checked.hpp>

namespace troupe::detail {

std::size_t encoded_size(const wire_type& type, const void* message, void* context, outgoing_loans* loans) {
  writer scale = writer::scale(context, loans);
  type.encode(scale, message);
  return scale.size() + (loans != nullptr ? loans->bytes() : 0);
}

std::unique_ptr<std::byte[]> chunk_memory(std::size_t bytes) noexcept {
  if (allocation_fails()) return nullptr;
  return std::unique_ptr<std::byte[]>(new (std::nothrow) std::byte[bytes]);
}

std::optional<chunked_frame> encode_chunked(frame_header header, const wire_type& type, const void* message,
                                            void* context, outgoing_loans* loans, std::size_t bytes) {
  std::unique_ptr<std::byte[]> memory = chunk_memory(bytes);
  if (memory == nullptr) return std::nullopt;
  const std::size_t list = loans != nullptr ? loans->bytes() : 0;
  writer out({memory.get(), bytes - list}, context, loans);
  type.encode(out, message);
  header.lent = loans != nullptr ? loans->lent_bytes() : 0;
  if (list != 0 && out.ok()) loans->write(memory.get() + out.size());
  return chunked_frame(header, std::move(memory), out.ok() ? out.size() + list : bytes + 1);
}

}  // namespace troupe::detail
