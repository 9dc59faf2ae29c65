#include "stream_core.hpp"

#include <algorithm>
#include <span>

#include <troupe/assert.hpp>

namespace troupe::detail {
namespace {

/// What a socket's operation gave.
result<std::size_t> bytes_or_error(std::int32_t completion) noexcept {
  if (completion < 0) return error(errc::io_failed, -completion);
  return static_cast<std::size_t>(completion);
}

}  // namespace

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
  TROUPE_ASSERT(fifo_ != fifo_use::write, "open a FIFO once more to read what is written to it");
  reader_ = &reader;
  receive_more();
}

void stream_core::give_up(read_operation& reader) noexcept {
  if (reader_ == &reader) reader_ = nullptr;
}

void stream_core::receive_more() {
  if (inward.in_flight) return;
  if (fifo_) return io().wait_readable(inward, fd());
  io().receive(inward, fd(), std::as_writable_bytes(std::span(arriving_)));
}

void stream_core::inward_done(std::int32_t completion) noexcept {
  if (is_closed()) return;
  const bool ready = fifo_ && completion == 0;
  if (ready && reader_ == nullptr)
    return;  // who waited has gone: it stays in the FIFO, for whoever reads next
  const result<std::size_t> got =
      ready ? home().world().read_fifo(fd(), std::as_writable_bytes(std::span(arriving_)))
            : bytes_or_error(completion);
  if (got && *got != 0) {
    input_.append(std::string_view(arriving_.data(), *got));
  } else if (got.error() != errc::full) {
    input_.end(got ? error(errc::closed) : got.error());
  }
  if (reader_ == nullptr) return;
  if (!can_read(reader_->unit_, reader_->most_)) return receive_more();
  end_read();
}

void stream_core::end_read() noexcept { std::exchange(reader_, nullptr)->wait_.complete(); }

// Writing.

void stream_core::write(write_operation& writer) {
  TROUPE_ASSERT(writer_ == nullptr, "one coroutine at a time writes a byte_stream");
  TROUPE_ASSERT(!fifo_ || fifo_ == fifo_use::write, "open a FIFO once more to write to it");
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
    if (fifo_) return io().wait_writable(outward, fd());
    io().send(outward, fd(), unsent());
  } else if (writer_ != nullptr) {
    end_write({});
  }
}

std::span<const std::byte> stream_core::unsent() const noexcept {
  return std::as_bytes(std::span(output_).subspan(sent_, filled_ - sent_));
}

void stream_core::outward_done(std::int32_t completion) noexcept {
  if (is_closed()) return;
  const bool ready = fifo_ && completion == 0;
  const result<std::size_t> sent =
      ready ? home().world().write_fifo(fd(), unsent()) : bytes_or_error(completion);
  if (connector_ != nullptr) return end_connect(sent.error());
  if (sent || sent.error() == errc::full) {
    sent_ += sent ? *sent : 0;
    return send_more();
  }
  sent_ = filled_;
  if (writer_ != nullptr) end_write(sent.error());
}

void stream_core::end_write(error failure) noexcept {
  write_operation& writer = *std::exchange(writer_, nullptr);
  writer.failure_ = failure;
  writer.wait_.complete();
}

}  // namespace troupe::detail
