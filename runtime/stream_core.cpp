#include "stream_core.hpp"

#include <algorithm>
#include <span>

#include <troupe/assert.hpp>

namespace troupe::detail {

void stream_core::closed() noexcept {
  if (connector_ != nullptr) end_connect(errc::closed);
  if (reader_ != nullptr) end_read();
  if (writer_ != nullptr) end_write(errc::closed);
}

// Connecting.

void stream_core::connect(connect_operation& caller, const endpoint& to) {
  connector_ = &caller;
  io().connect(outward, fd(), to);
}

void stream_core::give_up(connect_operation& caller) noexcept {
  if (connector_ == &caller) connector_ = nullptr;
}

void stream_core::end_connect(error failure) noexcept {
  connect_operation& caller = *std::exchange(connector_, nullptr);
  caller.failure_ = failure;
  caller.wait_.complete();
}

// Reading.

bool stream_core::can_read(read_unit unit, std::size_t most) noexcept {
  if (is_closed()) return true;
  return unit == read_unit::line ? input_.has_line(most) : input_.has_some();
}

result<std::string> stream_core::take(read_unit unit, std::size_t most) {
  if (is_closed()) return errc::closed;
  return unit == read_unit::line ? input_.take_line(most) : input_.take_some(most);
}

void stream_core::wait_to_read(read_operation& reader) {
  TROUPE_ASSERT(reader_ == nullptr, "one coroutine at a time reads a byte_stream");
  reader_ = &reader;
  receive_more();
}

void stream_core::give_up(read_operation& reader) noexcept {
  if (reader_ == &reader) reader_ = nullptr;
}

void stream_core::receive_more() {
  if (!inward.in_flight) io().receive(inward, fd(), std::as_writable_bytes(std::span(arriving_)));
}

void stream_core::inward_done(std::int32_t result) noexcept {
  if (is_closed()) return;
  if (result > 0) {
    input_.append(std::string_view(arriving_.data(), static_cast<std::size_t>(result)));
  } else {
    input_.end(result == 0 ? error(errc::closed) : error(errc::io_failed, -result));
  }
  if (reader_ == nullptr) return;
  if (!can_read(reader_->unit_, reader_->most_)) return receive_more();
  end_read();
}

void stream_core::end_read() noexcept { std::exchange(reader_, nullptr)->wait_.complete(); }

// Writing.

void stream_core::write(write_operation& writer) {
  TROUPE_ASSERT(writer_ == nullptr, "one coroutine at a time writes a byte_stream");
  writer_ = &writer;
  send_more();
}

void stream_core::give_up(write_operation& writer) noexcept {
  if (writer_ == &writer) writer_ = nullptr;
}

void stream_core::send_more() {
  if (outward.in_flight) return;
  if (sent_ == filled_ && writer_ != nullptr) {
    sent_ = 0;
    filled_ = writer_->rest_.copy(output_.data(), output_.size());
    writer_->rest_.remove_prefix(filled_);
  }
  if (sent_ != filled_) {
    io().send(outward, fd(), std::as_bytes(std::span(output_).subspan(sent_, filled_ - sent_)));
  } else if (writer_ != nullptr) {
    end_write({});
  }
}

void stream_core::outward_done(std::int32_t result) noexcept {
  if (is_closed()) return;
  const error failure = result < 0 ? error(errc::io_failed, -result) : error();
  if (connector_ != nullptr) return end_connect(failure);
  if (result >= 0) {
    sent_ += static_cast<std::size_t>(result);
    return send_more();
  }
  sent_ = filled_;
  if (writer_ != nullptr) end_write(failure);
}

void stream_core::end_write(error failure) noexcept {
  write_operation& writer = *std::exchange(writer_, nullptr);
  writer.failure_ = failure;
  writer.wait_.complete();
}

}  // namespace troupe::detail
